#include "data/labels.h"

#include "base/memory.h"
#include "data/idx.h"
#include "hdf5/hdf5_file.h"

#include <string.h>
#include <strings.h>

/* -- Which file ------------------------------------------------------------------------------- */

static bool is_hdf5(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".h5") == 0 || strcasecmp(dot, ".hdf5") == 0);
}

/* "d/train-labels-idx1-ubyte.gz" for "d/train-images-idx3-ubyte.gz"; NULL for other names. Caller frees. */
static char *idx_sibling(const char *path)
{
    static const char images[] = "images-idx3", labels[] = "labels-idx1";
    const char *slash = strrchr(path, '/');
    const char *found = strstr(slash ? slash : path, images);
    if (!found)
        return NULL;
    return memory_format("%.*s%s%s", (int)(found - path), path, labels, found + sizeof images - 1);
}

/* The file of labels; NULL with an error. Caller frees. */
static char *find_file(const Dataset *dataset, const char *path, const char *option, Error *error)
{
    const char *images = dataset_name(dataset);
    if (path || dataset_format(dataset) == DATA_HDF5)
        return memory_string(path ? path : images);
    char *sibling = idx_sibling(images);
    if (!sibling)
        error_input(error,
                    "%s: its labels are not known; name their file with %s (IDX, or HDF5 with "
                    "integers /labels [N])",
                    images, option);
    return sibling;
}

/* -- Reading ---------------------------------------------------------------------------------- */

static bool allocate(Labels *labels, int64_t count, Error *error)
{
    labels->count = count;
    labels->values = memory_large((size_t)count, sizeof(int), "labels", error);
    return labels->values != NULL;
}

/* A number that no label can be becomes -1. */
static int as_label(int64_t value, int most)
{
    return value >= 0 && value < most ? (int)value : -1;
}

static bool read_idx(Labels *labels, const char *path, int most, Error *error)
{
    uint8_t *bytes = NULL;
    int64_t count = 0;
    bool ok = idx_read_labels(&bytes, &count, path, error) && allocate(labels, count, error);
    for (int64_t i = 0; ok && i < count; i++)
        labels->values[i] = as_label(bytes[i], most);
    memory_free(bytes);
    return ok;
}

static bool read_hdf5(Labels *labels, const char *path, int most, Error *error)
{
    Hdf5File *file = NULL;
    int64_t count = HDF5_ANY, *values = NULL;
    bool ok = hdf5_open(&file, path, error) &&
              hdf5_expect(file, "/labels", HDF5_INT64, 1, &count, error) &&
              (values = memory_large((size_t)count, sizeof *values, "labels", error)) != NULL &&
              hdf5_read(file, "/labels", HDF5_INT64, 1, &count, values, error) &&
              allocate(labels, count, error);
    for (int64_t i = 0; ok && i < count; i++)
        labels->values[i] = as_label(values[i], most);
    memory_free(values);
    hdf5_close(file);
    return ok;
}

static bool read_mixture(Labels *labels, const Dataset *dataset, Error *error)
{
    if (!allocate(labels, dataset_count(dataset), error))
        return false;
    for (int64_t i = 0; i < labels->count; i++)
        labels->values[i] = dataset_component(dataset, i);
    return true;
}

static bool read_file(Labels *labels, const Dataset *dataset, const char *path, int most,
                      Error *error)
{
    const int64_t images = dataset_count(dataset);
    if (!(is_hdf5(path) ? read_hdf5 : read_idx)(labels, path, most, error))
        return false;
    if (labels->count != images)
        return error_input(
            error, "%s: has %lld labels, expected one for each of the %lld images of %s", path,
            (long long)labels->count, (long long)images, dataset_name(dataset));
    for (int64_t i = 0; i < images; i++)
        if (labels->values[i] < 0)
            return error_input(error, "%s: the label of image %lld is not from 0 to %d", path,
                               (long long)i, most - 1);
    return true;
}

bool labels_read(Labels *labels, const Dataset *dataset, const char *path, const char *option,
                 int most, Error *error)
{
    *labels = (Labels){0};
    char *file = NULL;
    bool ok = dataset_format(dataset) == DATA_MIXTURE
                  ? read_mixture(labels, dataset, error)
                  : (file = find_file(dataset, path, option, error)) != NULL &&
                        read_file(labels, dataset, file, most, error);
    memory_free(file);
    for (int64_t i = 0; ok && i < labels->count; i++)
        if (labels->values[i] >= labels->classes)
            labels->classes = labels->values[i] + 1;
    if (!ok)
        labels_free(labels);
    return ok;
}

void labels_free(Labels *labels)
{
    memory_free(labels->values);
    *labels = (Labels){0};
}
