/* data.format hdf5: images in an array /images of an HDF5 file, labels in its array /labels or in
 * another such file.
 *
 * hdf5_images.c reads the images: a small array wholly, a large one by rows.
 */
#include "base/memory.h"
#include "data/dataset_format.h"
#include "data/hdf5_images.h"
#include "hdf5/hdf5_file.h"

#include <limits.h>

typedef struct State {
    Hdf5Images *images;
} State;

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    Hdf5File *file = NULL;
    int rank = 0;
    int64_t dims[HDF5_MAX_RANK] = {0};
    bool ok = hdf5_open(&file, path, error) && hdf5_shape(file, "/images", &rank, dims, error);
    hdf5_close(file);
    if (ok && (rank != 4 || dims[1] != dims[2] || dims[1] > INT_MAX || dims[3] > INT_MAX))
        ok = error_input(error, "%s:/images: expected square images [N, H, W, C], found %s", path,
                         hdf5_shape_text(rank, dims).text);
    *resolution = (int)dims[1];
    *channels = (int)dims[3];
    return ok;
}

static bool open_images(Dataset *dataset, Error *error)
{
    State *state = dataset->state = memory_small(1, sizeof *state);
    if (!hdf5_images_open(&state->images, dataset->path, dataset->resolution, dataset->channels,
                          HDF5_IMAGES_IN_MEMORY, error))
        return false;
    dataset->stored = hdf5_images_count(state->images);
    return true;
}

static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error)
{
    const State *state = dataset->state;
    return hdf5_images_read(state->images, indices, n, bytes, error);
}

static void release(void *state)
{
    hdf5_images_close(((State *)state)->images);
}

static char *labels_path(const Dataset *dataset)
{
    return memory_string(dataset->path);
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    (void)dataset;
    Hdf5File *file = NULL;
    int64_t count = HDF5_ANY;
    bool ok = hdf5_open(&file, path, error) &&
              (hdf5_exists(file, "/labels", HDF5_DATASET) ||
               error_absent(error, "%s:/labels: is missing, expected integers [N]", path)) &&
              hdf5_expect(file, "/labels", HDF5_INT64, 1, &count, error) &&
              (labels->values =
                   memory_large((size_t)count, sizeof *labels->values, "labels", error)) != NULL &&
              hdf5_read(file, "/labels", HDF5_INT64, 1, &count, labels->values, error);
    labels->count = count;
    hdf5_close(file);
    return ok;
}

const DatasetFormat dataset_hdf5 = {
    .detects = hdf5_detects,
    .endings = {".h5", ".hdf5"},
    .shape = shape,
    .open = open_images,
    .read_bytes = read_bytes,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
