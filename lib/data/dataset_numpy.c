/* data.format numpy: images in an .npy or an .npz, which are read wholly, and labels in the .npz or in
 * another such file.
 *
 * numpy.c reads the files.
 */
#include "base/memory.h"
#include "base/note.h"
#include "data/dataset_format.h"
#include "data/numpy.h"

#include <string.h>

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    return numpy_shape(resolution, channels, path, error);
}

static bool open_images(Dataset *dataset, Error *error)
{
    NumpyImages *images = dataset->state = memory_small(1, sizeof *images);
    if (!numpy_read(images, dataset->path, dataset->resolution, dataset->channels, dataset->floats,
                    error))
        return false;
    if (images->rounded > 0)
        note("%s: %lld of its numbers lie between two bytes, and became the nearest one",
             dataset->path, (long long)images->rounded);
    dataset->stored = images->count;
    dataset->pixels = images->pixels;
    return true;
}

static void release(void *state)
{
    numpy_free(state);
}

/* An .npy holds one array: its labels lie elsewhere. */
static char *labels_path(const Dataset *dataset)
{
    const size_t length = strlen(dataset->path);
    const bool is_npy = length > 4 && strcmp(dataset->path + length - 4, ".npy") == 0;
    return is_npy ? NULL : memory_string(dataset->path);
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    (void)dataset;
    return numpy_read_labels(&labels->values, &labels->count, path, error);
}

const DatasetFormat dataset_numpy = {
    .detects = numpy_detects,
    .endings = {".npy", ".npz"},
    .shape = shape,
    .open = open_images,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
