/* data.format idx: images in an IDX file, which is read wholly, and labels in another one beside
 * it.
 *
 * idx.c reads the files. The names of the two are alike: train-images-idx3-ubyte.gz,
 * train-labels-idx1-ubyte.gz.
 */
#include "base/memory.h"
#include "data/dataset_format.h"
#include "data/idx.h"

#include <string.h>
#include <unistd.h>

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    *channels = 1;
    return idx_shape(resolution, path, error);
}

static bool open_images(Dataset *dataset, Error *error)
{
    if (dataset->channels != 1 && idx_detects(dataset->path)) /* idx_read reports all other files */
        return error_input(error, "%s: IDX images have 1 channel, but data.channels is %d",
                           dataset->path, dataset->channels);
    IdxImages *images = dataset->state = memory_small(1, sizeof *images);
    if (!idx_read(images, dataset->path, dataset->resolution, error))
        return false;
    dataset->stored = images->count;
    dataset->pixels = images->pixels;
    return true;
}

static void release(void *state)
{
    idx_free(state);
}

/* "d/train-labels-idx1-ubyte.gz" for "d/train-images-idx3-ubyte.gz"; NULL for other names. */
static char *labels_path(const Dataset *dataset)
{
    static const char images[] = "images-idx3", labels[] = "labels-idx1";
    const char *path = dataset->path, *slash = strrchr(path, '/');
    const char *found = strstr(slash ? slash : path, images);
    if (!found)
        return NULL;
    return memory_format("%.*s%s%s", (int)(found - path), path, labels, found + sizeof images - 1);
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    (void)dataset;
    uint8_t *bytes = NULL;
    if (access(path, F_OK) != 0)
        return error_absent(error, "%s: no such file, expected an IDX file of labels", path);
    bool ok = idx_read_labels(&bytes, &labels->count, path, error) &&
              (labels->values = memory_large((size_t)labels->count, sizeof *labels->values,
                                             "labels", error)) != NULL;
    for (int64_t i = 0; ok && i < labels->count; i++)
        labels->values[i] = bytes[i];
    memory_free(bytes);
    return ok;
}

const DatasetFormat dataset_idx = {
    .detects = idx_detects,
    .shape = shape,
    .open = open_images,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
