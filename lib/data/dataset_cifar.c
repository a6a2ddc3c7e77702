/* data.format cifar: CIFAR-10 or CIFAR-100 in binary files, which are read wholly.
 *
 * cifar.c reads the files. They hold training images and test images, so data.train alone names
 * both.
 */
#include "base/memory.h"
#include "data/cifar.h"
#include "data/dataset_format.h"

#include <string.h>

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    (void)path; /* open_images looks at the file */
    (void)error;
    *resolution = CIFAR_SIDE;
    *channels = CIFAR_CHANNELS;
    return true;
}

static bool open_images(Dataset *dataset, Error *error)
{
    if (dataset->channels != CIFAR_CHANNELS)
        return error_input(error, "%s: images of CIFAR have 3 channels, but data.channels is %d",
                           dataset->path, dataset->channels);
    if (dataset->resolution != CIFAR_SIDE)
        return error_input(error, "%s: images of CIFAR are 32x32, but data.resolution is %d",
                           dataset->path, dataset->resolution);
    CifarImages *images = dataset->state = memory_small(1, sizeof *images);
    if (!cifar_read(images, dataset->path, dataset->split == DATASET_TEST, error))
        return false;
    dataset->stored = images->count;
    return true;
}

static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error)
{
    (void)error;
    const CifarImages *images = dataset->state;
    const size_t size = dataset->image_size;
    for (int i = 0; i < n; i++)
        memcpy(bytes + (size_t)i * size, images->pixels + (size_t)indices[i] * size, size);
    return true;
}

static void close_images(Dataset *dataset)
{
    if (dataset->state)
        cifar_free(dataset->state);
    memory_free(dataset->state);
}

static char *labels_path(const Dataset *dataset)
{
    return memory_string(dataset->path);
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    CifarImages images = {0};
    bool ok = cifar_read(&images, path, dataset->split == DATASET_TEST, error) &&
              (labels->values = memory_large((size_t)images.count, sizeof *labels->values, "labels",
                                             error)) != NULL;
    labels->count = images.count;
    for (int64_t i = 0; ok && i < labels->count; i++)
        labels->values[i] = images.labels[i];
    cifar_free(&images);
    return ok;
}

const DatasetFormat dataset_cifar = {
    .detects = cifar_detects,
    .brings_test = true,
    .shape = shape,
    .open = open_images,
    .read_bytes = read_bytes,
    .labels_path = labels_path,
    .labels = read_labels,
    .close = close_images,
};
