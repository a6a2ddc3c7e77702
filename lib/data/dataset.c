#include "data/dataset.h"

#include "base/fingerprint.h"
#include "base/memory.h"
#include "data/hdf5_images.h"
#include "data/idx.h"
#include "diffusion/mixture.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

/* The mixture's images don't depend on the seed of a run: a data set is a fixed thing. */
static const uint64_t mixture_seed = 0x6d697874757265;

struct Dataset {
    DataFormat format;
    const char *path; /* points into `config` */
    Config config;
    int64_t count;
    size_t image_size; /* elements */

    IdxImages idx;          /* DATA_IDX */
    Hdf5Images *hdf5;       /* DATA_HDF5 */
    uint8_t *bytes;         /* DATA_HDF5: images on their way */
    int bytes_capacity;     /* in images */
    Mixture mixture;        /* DATA_MIXTURE */
    uint32_t mixture_first; /* the split's first sample */
};

/* -- Opening ---------------------------------------------------------------------------------- */

static bool open_idx(Dataset *dataset, Error *error)
{
    int channels = dataset->config.data.channels;
    if (channels != 1)
        return error_input(error, "%s: IDX images have 1 channel, but data.channels is %d",
                           dataset->path, channels);
    if (!idx_read(&dataset->idx, dataset->path, dataset->config.data.resolution, error))
        return false;
    dataset->count = dataset->idx.count;
    return true;
}

static bool open_hdf5(Dataset *dataset, Error *error)
{
    if (!hdf5_images_open(&dataset->hdf5, dataset->path, dataset->config.data.resolution,
                          dataset->config.data.channels, HDF5_IMAGES_IN_MEMORY, error))
        return false;
    dataset->count = hdf5_images_count(dataset->hdf5);
    return true;
}

static bool open_mixture(Dataset *dataset, DatasetSplit split, Error *error)
{
    bool train = split == DATASET_TRAIN;
    dataset->count = train ? DATASET_MIXTURE_TRAIN : DATASET_MIXTURE_TEST;
    dataset->mixture_first = train ? 0 : DATASET_MIXTURE_TRAIN;
    return mixture_builtin(&dataset->mixture, dataset->config.data.resolution,
                           dataset->config.data.channels, error);
}

/* Most first runs that fail, fail here. */
static bool explain_missing(const char *path, Error *error)
{
    if (strstr(path, "fashion-mnist") != NULL && access(path, F_OK) != 0)
        error_input(error,
                    "%s: no such file; Debian's package dataset-fashion-mnist brings it "
                    "(make deps)",
                    path);
    return false;
}

bool dataset_open(Dataset **result, const Config *config, DatasetSplit split, Error *error)
{
    *result = NULL;
    Dataset *dataset = memory_small(1, sizeof *dataset);
    dataset->config = *config;
    dataset->format = config->data.format;
    dataset->path = split == DATASET_TRAIN ? dataset->config.data.train : dataset->config.data.test;
    dataset->image_size = (size_t)config->data.resolution * (size_t)config->data.resolution *
                          (size_t)config->data.channels;

    bool ok = false;
    switch (dataset->format) {
    case DATA_IDX:
        ok = open_idx(dataset, error) || explain_missing(dataset->path, error);
        break;
    case DATA_HDF5:
        ok = open_hdf5(dataset, error);
        break;
    case DATA_MIXTURE:
        ok = open_mixture(dataset, split, error);
        break;
    }
    if (ok)
        *result = dataset;
    else
        dataset_close(dataset);
    return ok;
}

void dataset_close(Dataset *dataset)
{
    if (dataset == NULL)
        return;
    idx_free(&dataset->idx);
    hdf5_images_close(dataset->hdf5);
    memory_free(dataset->bytes);
    mixture_free(&dataset->mixture);
    memory_free(dataset);
}

const char *dataset_name(const Dataset *dataset)
{
    return dataset->format == DATA_MIXTURE ? "the mixture" : dataset->path;
}

DataFormat dataset_format(const Dataset *dataset)
{
    return dataset->format;
}

int64_t dataset_count(const Dataset *dataset)
{
    return dataset->count;
}

int dataset_resolution(const Dataset *dataset)
{
    return dataset->config.data.resolution;
}

int dataset_channels(const Dataset *dataset)
{
    return dataset->config.data.channels;
}

/* -- Reading ---------------------------------------------------------------------------------- */

static void bytes_to_floats(const uint8_t *bytes, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = 2.0f * (float)bytes[i] / 255.0f - 1.0f;
}

static void read_idx(const Dataset *dataset, const int64_t *indices, int n, float *images)
{
    size_t size = dataset->image_size;
    for (int i = 0; i < n; i++)
        bytes_to_floats(dataset->idx.pixels + (size_t)indices[i] * size, size,
                        images + (size_t)i * size);
}

/* Sees to it that `bytes` has room for n images. */
static bool make_room(Dataset *dataset, int n, Error *error)
{
    if (n <= dataset->bytes_capacity)
        return true;
    memory_free(dataset->bytes);
    dataset->bytes_capacity = 0;
    dataset->bytes = memory_large((size_t)n, dataset->image_size, "a batch of images", error);
    if (!dataset->bytes)
        return false;
    dataset->bytes_capacity = n;
    return true;
}

static bool read_hdf5(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error)
{
    if (!make_room(dataset, n, error))
        return false;
    if (!hdf5_images_read(dataset->hdf5, indices, n, dataset->bytes, error))
        return false;
    bytes_to_floats(dataset->bytes, (size_t)n * dataset->image_size, images);
    return true;
}

static void read_mixture(const Dataset *dataset, const int64_t *indices, int n, float *images)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++)
        mixture_sample(&dataset->mixture, mixture_seed,
                       dataset->mixture_first + (uint32_t)indices[i],
                       images + (size_t)i * dataset->image_size);
}

/* -- What tells them apart -------------------------------------------------------------------- */

/* Images that are looked at in a large data set: few runs of neighbours, since what lies together in a file is
 * unpacked together. */
enum { RUNS = 64, RUN = 16 };

/* Adds images first .. first + n - 1, n at most RUN, as bytes. */
static bool add_images(Dataset *dataset, int64_t first, int n, uint64_t *print, Error *error)
{
    const size_t size = dataset->image_size;
    int64_t indices[RUN];
    for (int i = 0; i < n; i++)
        indices[i] = first + i;
    if (dataset->format == DATA_HDF5 &&
        (!make_room(dataset, n, error) ||
         !hdf5_images_read(dataset->hdf5, indices, n, dataset->bytes, error)))
        return false;
    for (int i = 0; i < n; i++) {
        const uint8_t *image = dataset->format == DATA_HDF5
                                   ? dataset->bytes + (size_t)i * size
                                   : dataset->idx.pixels + (size_t)indices[i] * size;
        *print = fingerprint(*print, image, size);
    }
    return true;
}

bool dataset_fingerprint(Dataset *dataset, int64_t most_bytes, uint64_t *print, Error *error)
{
    const int64_t count = dataset->count;
    const int64_t shape[] = {count, dataset->config.data.resolution, dataset->config.data.channels};
    *print = fingerprint(FINGERPRINT_START, shape, sizeof shape);
    if (dataset->format ==
        DATA_MIXTURE) { /* computed anew on every machine, the same but for rounding */
        *print = fingerprint(*print, "mixture", strlen("mixture"));
        return true;
    }
    const bool all = count <= most_bytes / (int64_t)dataset->image_size || count <= RUNS * RUN;
    const int64_t runs = all ? (count + RUN - 1) / RUN : RUNS;
    for (int64_t r = 0; r < runs; r++) {
        const int64_t first = all ? r * RUN : (count - RUN) * r / (RUNS - 1);
        const int n = (int)(count - first < RUN ? count - first : RUN);
        if (!add_images(dataset, first, n, print, error))
            return false;
    }
    return true;
}

/* -- By index --------------------------------------------------------------------------------- */

bool dataset_read(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error)
{
    for (int i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= dataset->count)
            return error_input(error, "%s: there is no image %lld, only 0 to %lld",
                               dataset->format == DATA_MIXTURE ? "mixture" : dataset->path,
                               (long long)indices[i], (long long)dataset->count - 1);
    switch (dataset->format) {
    case DATA_IDX:
        read_idx(dataset, indices, n, images);
        return true;
    case DATA_HDF5:
        return read_hdf5(dataset, indices, n, images, error);
    case DATA_MIXTURE:
        break;
    }
    read_mixture(dataset, indices, n, images);
    return true;
}

int dataset_component(const Dataset *dataset, int64_t index)
{
    assert(dataset->format == DATA_MIXTURE);
    return mixture_component(&dataset->mixture, mixture_seed,
                             dataset->mixture_first + (uint32_t)index);
}

void dataset_flip(float *image, int height, int width, int channels)
{
    for (int y = 0; y < height; y++) {
        float *row = image + (size_t)y * (size_t)width * (size_t)channels;
        for (int left = 0, right = width - 1; left < right; left++, right--)
            for (int c = 0; c < channels; c++) {
                float kept = row[left * channels + c];
                row[left * channels + c] = row[right * channels + c];
                row[right * channels + c] = kept;
            }
    }
}
