/* Reads labels through the format of their file, and checks them: one for each image, none out of
 * range. */
#include "data/labels.h"

#include "base/memory.h"
#include "data/dataset_format.h"

#include <string.h>

void raw_labels_name(RawLabels *labels, const char *name)
{
    labels->names =
        memory_grow(labels->names, (size_t)labels->names_count + 1, sizeof *labels->names);
    labels->names[labels->names_count++] = memory_string(name);
}

void raw_labels_free(RawLabels *labels)
{
    for (int i = 0; i < labels->names_count; i++)
        memory_free(labels->names[i]);
    memory_free(labels->names);
    memory_free(labels->values);
    *labels = (RawLabels){0};
}

/* Copies the names of the classes that occur. */
static void take_names(Labels *labels, const RawLabels *raw)
{
    if (raw->names_count == 0)
        return;
    labels->names = memory_small((size_t)labels->classes, sizeof *labels->names);
    for (int c = 0; c < labels->classes && c < raw->names_count; c++)
        labels->names[c] = memory_string(raw->names[c]);
}

/* *labels := the values of the data set's images; numbers that are no label become -1. */
static bool take(Labels *labels, const RawLabels *raw, const Dataset *dataset, int max_classes,
                 Error *error)
{
    labels->count = dataset->count;
    labels->values = memory_large((size_t)labels->count, sizeof(int), "labels", error);
    for (int64_t i = 0; labels->values && i < labels->count; i++) {
        const int64_t value = raw->values[dataset->chosen ? dataset->chosen[i] : i];
        const bool possible = value >= 0 && value < max_classes;
        labels->values[i] = possible ? (int)value : -1;
        if (labels->values[i] >= labels->classes)
            labels->classes = labels->values[i] + 1;
    }
    if (labels->values)
        take_names(labels, raw);
    return labels->values != NULL;
}

static bool check_count(const RawLabels *raw, const Dataset *dataset, const char *path,
                        Error *error)
{
    return raw->count == dataset->stored ||
           error_input(error, "%s: has %lld labels, expected one for each of the %lld images of %s",
                       path, (long long)raw->count, (long long)dataset->stored, dataset->path);
}

static bool check_range(const Labels *labels, const Dataset *dataset, const char *path,
                        int max_classes, Error *error)
{
    for (int64_t i = 0; i < labels->count; i++)
        if (labels->values[i] < 0)
            return error_input(error, "%s: the label of image %lld is not from 0 to %d", path,
                               (long long)(dataset->chosen ? dataset->chosen[i] : i),
                               max_classes - 1);
    return true;
}

/* The file of the labels, for memory_free; NULL with an error if it is not known. */
static char *find_file(const Dataset *dataset, const char *path, const char *option, Error *error)
{
    const DatasetFormat *format = dataset->format;
    char *file = path                  ? memory_string(path)
                 : format->labels_path ? format->labels_path(dataset)
                                       : NULL;
    if (!file)
        error_absent(error,
                     "%s: its labels are not known; name their file with %s (IDX, or HDF5 with "
                     "integers /labels [N])",
                     dataset->name, option);
    return file;
}

bool labels_read(Labels *labels, const Dataset *dataset, const char *path, const char *option,
                 int max_classes, Error *error)
{
    *labels = (Labels){0};
    RawLabels raw = {0};
    char *file = NULL;
    const bool has_file = dataset->facts->has_files;
    const DatasetFormat *format = dataset->format;
    if (has_file && path)
        format = dataset_formats[dataset_format_of_file(path)];
    const char *where = NULL;
    bool ok = (!has_file || (file = find_file(dataset, path, option, error)) != NULL) &&
              format->labels(dataset, file, &raw, error) &&
              (where = file ? file : dataset->name) != NULL &&
              check_count(&raw, dataset, where, error) &&
              take(labels, &raw, dataset, max_classes, error) &&
              check_range(labels, dataset, where, max_classes, error);
    raw_labels_free(&raw);
    memory_free(file);
    if (!ok)
        labels_free(labels);
    return ok;
}

/* The class of that name, or -1. */
static int find_class(const Labels *labels, const char *name)
{
    for (int c = 0; c < labels->classes; c++)
        if (labels->names[c] && strcmp(labels->names[c], name) == 0)
            return c;
    return -1;
}

/* numbers [classes] := the number of each class among those of `wanted`; -1: it has no image. */
static bool find_numbers(const Labels *labels, const Labels *wanted, int *numbers, const char *name,
                         Error *error)
{
    for (int c = 0; c < labels->classes; c++)
        numbers[c] = -1;
    for (int64_t i = 0; i < labels->count; i++) {
        const int c = labels->values[i];
        if (numbers[c] >= 0)
            continue;
        numbers[c] = labels->names[c] ? find_class(wanted, labels->names[c]) : c;
        if (numbers[c] < 0 || numbers[c] >= wanted->classes)
            return error_input(error, "%s: has the class %s, which the training images do not have",
                               name, labels->names[c] ? labels->names[c] : "without a name");
    }
    return true;
}

/* The names of `wanted` take the place of the others. */
static void renumber(Labels *labels, const Labels *wanted, const int *numbers)
{
    for (int64_t i = 0; i < labels->count; i++)
        labels->values[i] = numbers[labels->values[i]];
    for (int c = 0; c < labels->classes; c++)
        memory_free(labels->names[c]);
    memory_free(labels->names);
    labels->classes = wanted->classes;
    labels->names = memory_small((size_t)wanted->classes, sizeof *labels->names);
    for (int c = 0; c < wanted->classes; c++)
        labels->names[c] = memory_string(wanted->names[c]);
}

bool labels_match(Labels *labels, const Labels *wanted, const char *name, Error *error)
{
    if (labels->names && wanted->names) {
        int *numbers = memory_small((size_t)labels->classes, sizeof *numbers);
        const bool ok = find_numbers(labels, wanted, numbers, name, error);
        if (ok)
            renumber(labels, wanted, numbers);
        memory_free(numbers);
        return ok;
    }
    return labels->classes <= wanted->classes ||
           error_input(error,
                       "%s: has the label %d, and the training images have labels from 0 to %d",
                       name, labels->classes - 1, wanted->classes - 1);
}

void labels_free(Labels *labels)
{
    for (int c = 0; labels->names && c < labels->classes; c++)
        memory_free(labels->names[c]);
    memory_free(labels->names);
    memory_free(labels->values);
    *labels = (Labels){0};
}
