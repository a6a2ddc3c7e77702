/* Reads and writes checkpoints through lib/hdf5, whose checks cover types, shapes and completeness.
 * Here the meaning is checked: format and version, the configuration, the set of tensors, finite
 * numbers.
 */
#include "io/checkpoint.h"

#include "base/finite.h"
#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "io/file_kind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct Checkpoint {
    Hdf5File *file;
    int stage;
    int64_t step;
    Config config;
    Hdf5List heads;
    TimeBins bins;
};

struct CheckpointWriter {
    Hdf5File *file;
};

/* -- Opening ----------------------------------------------------------------------------------- */

static bool check_format(Hdf5File *file, Error *error)
{
    const char *path = hdf5_path(file);
    if (!hdf5_attribute_exists(file, "/", "format"))
        return error_input(error,
                           "%s: is an HDF5 file, but no checkpoint: it has no attribute format "
                           "\"%s\"",
                           path, file_kind_format(FILE_CHECKPOINT));
    char *format = NULL;
    if (!hdf5_read_attribute_string(file, "/", "format", &format, error))
        return false;
    bool same = strcmp(format, file_kind_format(FILE_CHECKPOINT)) == 0;
    if (!same)
        error_input(error, "%s: attribute format: expected \"%s\", found \"%.60s\"", path,
                    file_kind_format(FILE_CHECKPOINT), format);
    memory_free(format);
    return same;
}

static bool check_version(Hdf5File *file, Error *error)
{
    int64_t version = 0;
    if (!hdf5_read_attribute_int(file, "/", "version", &version, error))
        return false;
    if (version > CHECKPOINT_VERSION)
        return error_input(error,
                           "%s: is a checkpoint of format version %lld, this program reads "
                           "version %d: use the varhead that wrote it, or a later one",
                           hdf5_path(file), (long long)version, CHECKPOINT_VERSION);
    if (version < 1)
        return error_input(error,
                           "%s: attribute version: there is no format version %lld, this program "
                           "reads version %d",
                           hdf5_path(file), (long long)version, CHECKPOINT_VERSION);
    return true;
}

static bool read_progress(Checkpoint *checkpoint, Error *error)
{
    Hdf5File *file = checkpoint->file;
    int64_t stage = 0;
    if (!hdf5_read_attribute_int(file, "/", "stage", &stage, error) ||
        !hdf5_read_attribute_int(file, "/", "step", &checkpoint->step, error))
        return false;
    if (stage != 1 && stage != 2)
        return error_input(error, "%s: attribute stage: expected 1 or 2, found %lld",
                           hdf5_path(file), (long long)stage);
    if (checkpoint->step < 0)
        return error_input(error, "%s: attribute step: expected 0 or more, found %lld",
                           hdf5_path(file), (long long)checkpoint->step);
    checkpoint->stage = (int)stage;
    return true;
}

static bool read_config(Checkpoint *checkpoint, Error *error)
{
    char *text = NULL;
    if (!hdf5_read_string(checkpoint->file, "/config", &text, error))
        return false;
    char *origin = memory_format("%s:/config", hdf5_path(checkpoint->file));
    bool ok = config_parse(&checkpoint->config, text, origin, NULL, 0, error);
    memory_free(origin);
    memory_free(text);
    return ok;
}

/* A head's name becomes part of file names and of tables. */
static bool is_head_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length >= 1 && length <= 31 && name[length] == '\0';
}

static bool list_heads(Checkpoint *checkpoint, Error *error)
{
    if (!hdf5_exists(checkpoint->file, "/heads_ema", HDF5_GROUP))
        return true;
    if (!hdf5_list(checkpoint->file, "/heads_ema", &checkpoint->heads, error))
        return false;
    for (int i = 0; i < checkpoint->heads.count; i++) {
        const char *name = checkpoint->heads.entries[i].name;
        if (checkpoint->heads.entries[i].kind != HDF5_GROUP || !is_head_name(name))
            return error_input(error,
                               "%s:/heads_ema/%.60s: expected the group of a head (a name such as "
                               "sn or npr)",
                               hdf5_path(checkpoint->file), name);
    }
    return true;
}

static const char bins_name[] = "/time_bins";

static bool read_bins(Checkpoint *checkpoint, Error *error)
{
    const int timesteps = checkpoint->config.diffusion.timesteps;
    int64_t first[TIME_BINS_MAX + 1], count = HDF5_ANY;
    checkpoint->bins = time_bins_even(1, timesteps);
    if (!hdf5_exists(checkpoint->file, bins_name, HDF5_DATASET))
        return true;
    if (!hdf5_expect(checkpoint->file, bins_name, HDF5_INT64, 1, &count, error))
        return false;
    if (count < 2 || count > TIME_BINS_MAX + 1)
        return error_input(error, "%s:%s: expected 2 to %d numbers, found %lld",
                           hdf5_path(checkpoint->file), bins_name, TIME_BINS_MAX + 1,
                           (long long)count);
    if (!hdf5_read(checkpoint->file, bins_name, HDF5_INT64, 1, &count, first, error))
        return false;
    return time_bins_read(&checkpoint->bins, first, (int)count - 1, timesteps, error) ||
           error_prefix(error, "%s:%s", hdf5_path(checkpoint->file), bins_name);
}

bool checkpoint_open(Checkpoint **result, const char *path, Error *error)
{
    *result = NULL;
    Checkpoint *checkpoint = memory_small(1, sizeof *checkpoint);
    bool ok = hdf5_open(&checkpoint->file, path, error) && check_format(checkpoint->file, error) &&
              check_version(checkpoint->file, error) && read_progress(checkpoint, error) &&
              read_config(checkpoint, error) && list_heads(checkpoint, error) &&
              read_bins(checkpoint, error);
    if (ok)
        *result = checkpoint;
    else
        checkpoint_close(checkpoint);
    return ok;
}

void checkpoint_close(Checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    hdf5_list_free(&checkpoint->heads);
    hdf5_close(checkpoint->file);
    memory_free(checkpoint);
}

const char *checkpoint_path(const Checkpoint *checkpoint)
{
    return hdf5_path(checkpoint->file);
}

const Config *checkpoint_config(const Checkpoint *checkpoint)
{
    return &checkpoint->config;
}

int checkpoint_stage(const Checkpoint *checkpoint)
{
    return checkpoint->stage;
}

int64_t checkpoint_step(const Checkpoint *checkpoint)
{
    return checkpoint->step;
}

int checkpoint_heads(const Checkpoint *checkpoint)
{
    return checkpoint->heads.count;
}

const char *checkpoint_head(const Checkpoint *checkpoint, int index)
{
    return checkpoint->heads.entries[index].name;
}

const TimeBins *checkpoint_bins(const Checkpoint *checkpoint)
{
    return &checkpoint->bins;
}

bool checkpoint_has(Checkpoint *checkpoint, const char *name)
{
    return hdf5_exists(checkpoint->file, name, HDF5_GROUP) ||
           hdf5_exists(checkpoint->file, name, HDF5_DATASET);
}

/* -- Arrays ------------------------------------------------------------------------------------ */

static void param_dims(const Param *param, int64_t *dims)
{
    for (int i = 0; i < param->rank; i++)
        dims[i] = param->shape[i];
}

static bool check_param(Checkpoint *checkpoint, const char *group, const Param *param, Error *error)
{
    int64_t dims[PARAM_MAX_RANK];
    param_dims(param, dims);
    char *name = memory_format("%s/%s", group, param->name);
    bool ok = hdf5_expect(checkpoint->file, name, HDF5_FLOAT32, param->rank, dims, error);
    memory_free(name);
    return ok;
}

bool checkpoint_check_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                             Error *error)
{
    Hdf5List list;
    if (!hdf5_list(checkpoint->file, group, &list, error))
        return false;
    bool ok = true;
    for (int i = 0; ok && i < set->count; i++)
        ok = check_param(checkpoint, group, &set->items[i], error);
    /* Further tensors mean that the configuration belongs to another network. */
    for (int i = 0; ok && i < list.count; i++)
        if (params_find(set, list.entries[i].name) < 0)
            ok = error_input(error,
                             "%s:/%s/%.90s: unexpected, the network of this configuration has no "
                             "such tensor",
                             checkpoint_path(checkpoint), group, list.entries[i].name);
    hdf5_list_free(&list);
    return ok;
}

static bool check_finite(const char *place, const float *values, size_t count, Error *error)
{
    const size_t found = finite_floats(values, count);
    return found == count || error_input(error, "%s: expected finite numbers, found %g", place,
                                         (double)values[found]);
}

bool checkpoint_read_param(Checkpoint *checkpoint, const char *group, const Param *param,
                           float *values, Error *error)
{
    int64_t dims[PARAM_MAX_RANK];
    param_dims(param, dims);
    char *name = memory_format("%s/%s", group, param->name);
    char *place = memory_format("%s:/%s", checkpoint_path(checkpoint), name);
    bool ok = hdf5_read(checkpoint->file, name, HDF5_FLOAT32, param->rank, dims, values, error) &&
              check_finite(place, values, param->count, error);
    memory_free(place);
    memory_free(name);
    return ok;
}

bool checkpoint_read_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                            float *values, Error *error)
{
    bool ok = checkpoint_check_params(checkpoint, group, set, error);
    for (int i = 0; ok && i < set->count; i++)
        ok = checkpoint_read_param(checkpoint, group, &set->items[i], values + set->items[i].offset,
                                   error);
    return ok;
}

float *checkpoint_load_params(Checkpoint *checkpoint, const char *group, const ParamSet *set,
                              Error *error)
{
    if (!checkpoint_check_params(checkpoint, group, set, error))
        return NULL;
    float *values = memory_large(set->size, sizeof *values, "the weights of the network", error);
    if (values && checkpoint_read_params(checkpoint, group, set, values, error))
        return values;
    memory_free(values);
    return NULL;
}

bool checkpoint_read_doubles(Checkpoint *checkpoint, const char *name, int64_t count,
                             double *values, Error *error)
{
    if (!hdf5_read(checkpoint->file, name, HDF5_FLOAT64, 1, &count, values, error))
        return false;
    const size_t found = finite_doubles(values, (size_t)count);
    return found == (size_t)count || error_input(error, "%s:/%s: expected finite numbers, found %g",
                                                 checkpoint_path(checkpoint), name, values[found]);
}

float *checkpoint_read_floats(Checkpoint *checkpoint, const char *name, int rank,
                              const int64_t *dims, Error *error)
{
    int64_t found[HDF5_MAX_RANK];
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        found[i] = dims[i];
        count *= (size_t)dims[i];
    }
    if (!hdf5_expect(checkpoint->file, name, HDF5_FLOAT32, rank, found, error))
        return NULL;
    float *values = memory_large(count, sizeof *values, name, error);
    char *place = memory_format("%s:/%s", checkpoint_path(checkpoint), name);
    bool ok = values &&
              hdf5_read(checkpoint->file, name, HDF5_FLOAT32, rank, dims, values, error) &&
              check_finite(place, values, count, error);
    memory_free(place);
    if (ok)
        return values;
    memory_free(values);
    return NULL;
}

bool checkpoint_verify(Checkpoint *checkpoint, Hdf5Verified *verified, Error *error)
{
    return hdf5_verify(checkpoint->file, verified, error);
}

int64_t checkpoint_attribute(Checkpoint *checkpoint, const char *name, const char *attribute,
                             int64_t missing)
{
    Error unused;
    int64_t value = missing;
    if (!hdf5_attribute_exists(checkpoint->file, name, attribute) ||
        !hdf5_read_attribute_int(checkpoint->file, name, attribute, &value, &unused))
        return missing;
    return value;
}

/* -- Writing ----------------------------------------------------------------------------------- */

static bool write_identity(Hdf5File *file, const Config *config, int stage, int64_t step,
                           Error *error)
{
    char *text = config_to_yaml(config);
    bool ok = hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_CHECKPOINT),
                                          error) &&
              hdf5_write_attribute_int(file, "/", "version", CHECKPOINT_VERSION, error) &&
              hdf5_write_attribute_int(file, "/", "stage", stage, error) &&
              hdf5_write_attribute_int(file, "/", "step", step, error) &&
              hdf5_write_string(file, "/config", text, error);
    memory_free(text);
    return ok;
}

bool checkpoint_create(CheckpointWriter **result, const char *path, const Config *config, int stage,
                       int64_t step, Error *error)
{
    *result = NULL;
    CheckpointWriter *writer = memory_small(1, sizeof *writer);
    bool ok = hdf5_create_as(&writer->file, path, file_kind_rule(FILE_CHECKPOINT), error) &&
              write_identity(writer->file, config, stage, step, error);
    if (ok)
        *result = writer;
    else
        checkpoint_discard(writer);
    return ok;
}

bool checkpoint_amend(CheckpointWriter **result, Checkpoint *source, const char *leave_out,
                      Error *error)
{
    *result = NULL;
    Hdf5File *file = NULL;
    if (!hdf5_create_copy(&file, source->file, leave_out, error))
        return false;
    *result = memory_small(1, sizeof **result);
    (*result)->file = file;
    return true;
}

bool checkpoint_check_amend(Checkpoint *source, const char *leave_out, Error *error)
{
    return hdf5_check_copy(source->file, leave_out, error);
}

/* Refuses numbers that the functions for reading would refuse: they would replace good ones. */
static bool can_save(const CheckpointWriter *writer, const char *name, double value, Error *error)
{
    return isfinite(value) ||
           error_runtime(error, "%s:/%s: expected finite numbers to save, got %g",
                         hdf5_path(writer->file), name, value);
}

static bool can_save_floats(const CheckpointWriter *writer, const char *name, const float *values,
                            size_t count, Error *error)
{
    const size_t found = finite_floats(values, count);
    return found == count || can_save(writer, name, (double)values[found], error);
}

bool checkpoint_write_param(CheckpointWriter *writer, const char *group, const Param *param,
                            const float *values, Error *error)
{
    int64_t dims[PARAM_MAX_RANK];
    param_dims(param, dims);
    char *name = memory_format("%s/%s", group, param->name);
    const bool ok = can_save_floats(writer, name, values, param->count, error) &&
                    hdf5_write(writer->file, name, HDF5_FLOAT32, param->rank, dims, values, error);
    memory_free(name);
    return ok;
}

bool checkpoint_write_params(CheckpointWriter *writer, const char *group, const ParamSet *set,
                             const float *values, Error *error)
{
    bool ok = true;
    for (int i = 0; ok && i < set->count; i++)
        ok = checkpoint_write_param(writer, group, &set->items[i], values + set->items[i].offset,
                                    error);
    return ok;
}

bool checkpoint_write_doubles(CheckpointWriter *writer, const char *name, int64_t count,
                              const double *values, Error *error)
{
    const size_t found = finite_doubles(values, (size_t)count);
    return (found == (size_t)count || can_save(writer, name, values[found], error)) &&
           hdf5_write(writer->file, name, HDF5_FLOAT64, 1, &count, values, error);
}

bool checkpoint_write_floats(CheckpointWriter *writer, const char *name, int rank,
                             const int64_t *dims, const float *values, Error *error)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return can_save_floats(writer, name, values, count, error) &&
           hdf5_write(writer->file, name, HDF5_FLOAT32, rank, dims, values, error);
}

bool checkpoint_write_bins(CheckpointWriter *writer, const TimeBins *bins, Error *error)
{
    int64_t first[TIME_BINS_MAX + 1];
    const int64_t count = bins->count + 1;
    for (int b = 0; b < count; b++)
        first[b] = bins->first[b];
    return hdf5_write(writer->file, bins_name, HDF5_INT64, 1, &count, first, error);
}

bool checkpoint_write_attribute(CheckpointWriter *writer, const char *name, const char *attribute,
                                int64_t value, Error *error)
{
    return hdf5_write_attribute_int(writer->file, name, attribute, value, error);
}

bool checkpoint_commit(CheckpointWriter *writer, Error *error)
{
    bool overtaken;
    return checkpoint_commit_amended(writer, &overtaken, error);
}

bool checkpoint_commit_amended(CheckpointWriter *writer, bool *overtaken, Error *error)
{
    bool ok = hdf5_commit_copy(writer->file, overtaken, error);
    memory_free(writer);
    return ok;
}

void checkpoint_discard(CheckpointWriter *writer)
{
    if (writer == NULL)
        return;
    hdf5_close(writer->file);
    memory_free(writer);
}
