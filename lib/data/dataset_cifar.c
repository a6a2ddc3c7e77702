/* data.format cifar: CIFAR-10 or CIFAR-100 in binary files, which are read wholly.
 *
 * cifar.c reads the files. They hold training images and test images, so data.train alone names
 * both.
 */
#include "base/memory.h"
#include "data/cifar.h"
#include "data/cifar_names.h"
#include "data/dataset_format.h"

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
    dataset->pixels = images->pixels;
    return true;
}

static void release(void *state)
{
    cifar_free(state);
}

static char *labels_path(const Dataset *dataset)
{
    return memory_string(dataset->path);
}

static void take_names(RawLabels *labels, const char *path)
{
    char *names[CIFAR_MOST_CLASSES];
    const int count = cifar_class_names(path, names);
    for (int c = 0; c < count; c++) {
        raw_labels_name(labels, names[c]);
        memory_free(names[c]);
    }
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
    if (ok)
        take_names(labels, path);
    return ok;
}

const DatasetFormat dataset_cifar = {
    .detects = cifar_detects,
    .brings_test = true,
    .shape = shape,
    .open = open_images,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
