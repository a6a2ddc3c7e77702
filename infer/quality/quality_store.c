/* Writes and reads the file of values.
 *
 * The files of finished results and of an unfinished run have the same form. The key decides
 * whether an unfinished one is used: it must equal the present key, letter by letter.
 */
#include "infer/quality/quality_store.h"

#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "infer/quality/quality_cells.h"
#include "infer/results.h"
#include "io/output.h"

#include <string.h>
#include <unistd.h>

char *quality_cell_name(const QualityTask *task, int cell)
{
    const SamplingPlan *plan = &task->cells[cell];
    return memory_format("%s/%s_%s_%d", quality_label(task, cell).text,
                         sampler_name(plan->reverse.sampler), trajectory_name(plan->trajectory),
                         plan->steps);
}

static void shape_of(const QualityTask *task, int64_t dims[3])
{
    dims[0] = task->cell_count + 1;
    dims[1] = QUALITY_METRICS;
    dims[2] = task->columns;
}

/* The corrections that searches found: an array [cell_count] for each number, which has those of all
 * cells. */
static bool write_tuned(const QualityTask *task, Hdf5File *file, Error *error)
{
    const int64_t dims[1] = {task->cell_count};
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(task->tune, &count);
    double *values = memory_small((size_t)task->cell_count, sizeof *values);
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        for (int c = 0; c < task->cell_count; c++)
            values[c] = *quality_tuned_number(&numbers[i], &task->cells[c].reverse.correction);
        ok = hdf5_write(file, numbers[i].name, HDF5_FLOAT64, 1, dims, values, error);
    }
    memory_free(values);
    return ok;
}

/* Those that searches of the unfinished run found go to the cells. */
static bool read_tuned(const QualityTask *task, Hdf5File *file, Error *error)
{
    const int64_t dims[1] = {task->cell_count};
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(task->tune, &count);
    double *values = memory_small((size_t)task->cell_count, sizeof *values);
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        ok = hdf5_read(file, numbers[i].name, HDF5_FLOAT64, 1, dims, values, error);
        for (int c = 0; ok && c < task->cell_count; c++)
            if (quality_is_tuned(task, c))
                *quality_tuned_number(&numbers[i], &task->cells[c].reverse.correction) = values[c];
    }
    memory_free(values);
    return ok;
}

/* Joins a text (or NULL) and a line; frees both. */
static char *add_line(char *text, char *line)
{
    char *both = text ? memory_format("%s\n%s", text, line) : memory_string(line);
    memory_free(text);
    memory_free(line);
    return both;
}

static bool write_names(const QualityTask *task, Hdf5File *file, Error *error)
{
    char *cells = memory_string("real"), *metrics = NULL;
    for (int c = 0; c < task->cell_count; c++)
        cells = add_line(cells, quality_cell_name(task, c));
    for (int m = 0; m < QUALITY_METRICS; m++)
        metrics = add_line(metrics, memory_string(quality_metric_name((QualityMetric)m)));
    const bool ok = hdf5_write_string(file, "cells", cells, error) &&
                    hdf5_write_string(file, "metrics", metrics, error);
    memory_free(cells);
    memory_free(metrics);
    return ok;
}

static bool write_attributes(const QualityTask *task, Hdf5File *file, Error *error)
{
    return hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_QUALITY_VALUES),
                                       error) &&
           hdf5_write_attribute_int(file, "/", "samples", task->count, error) &&
           hdf5_write_attribute_int(file, "/", "reference", task->reference, error) &&
           hdf5_write_attribute_int(file, "/", "resamples", task->columns - 1, error) &&
           hdf5_write_attribute_string(file, "/", "data", task->data, error) &&
           hdf5_write_attribute_string(file, "/", "settings", task->settings, error) &&
           results_write_images(file, task->images_print, error) &&
           (!task->features ||
            hdf5_write_attribute_string(file, "/", "classifier", task->features->name, error)) &&
           (!task->features || features_are_inception(task->features) ||
            hdf5_write_attribute_double(file, "/", "accuracy", task->features->accuracy, error));
}

bool quality_store_write(const QualityTask *task, const char *key, const char *path, Error *error)
{
    Hdf5File *file = NULL;
    int64_t dims[3];
    shape_of(task, dims);
    if (!hdf5_create_as(&file, path, file_kind_rule(FILE_QUALITY_VALUES), error))
        return false;
    if (write_attributes(task, file, error) && hdf5_write_string(file, "key", key, error) &&
        write_names(task, file, error) && write_tuned(task, file, error) &&
        hdf5_write(file, "values", HDF5_FLOAT64, 3, dims, task->values, error))
        return hdf5_commit(file, error);
    hdf5_close(file);
    return false;
}

bool quality_store_read(const QualityTask *task, const char *key, const char *path, bool *found,
                        Error *error)
{
    Hdf5File *file = NULL;
    Error unusable;
    char *stored = NULL;
    int64_t dims[3];
    bool ok = true;
    *found = false;
    shape_of(task, dims);
    if (access(path, F_OK) != 0 || !hdf5_open(&file, path, &unusable))
        return true;
    if (hdf5_exists(file, "key", HDF5_DATASET) &&
        hdf5_read_string(file, "key", &stored, &unusable) && strcmp(stored, key) == 0) {
        *found = true;
        ok = (hdf5_read(file, "values", HDF5_FLOAT64, 3, dims, task->values, error) &&
              read_tuned(task, file, error)) ||
             error_add(error, "; --fresh begins anew");
    }
    memory_free(stored);
    hdf5_close(file);
    return ok;
}
