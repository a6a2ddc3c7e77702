/* data.format mixture: the built-in mixture of Gaussians (diffusion/mixture.h) as a data set.
 *
 * Image i of the training images is sample i of the mixture, image i of the test images sample
 * DATASET_MIXTURE_TRAIN + i: the same ones in every run, computed when they are asked for. The
 * label of an image is the component that it was drawn from.
 */
#include "base/memory.h"
#include "data/dataset_format.h"
#include "diffusion/mixture.h"

/* A data set is a fixed thing, so this is not the seed of a run. */
static const uint64_t mixture_seed = 0x6d697874757265;

typedef struct State {
    Mixture mixture;
    /* The sample that is image 0. */
    uint32_t first;
} State;

static bool open_mixture(Dataset *dataset, Error *error)
{
    const bool train = dataset->split == DATASET_TRAIN;
    State *state = dataset->state = memory_small(1, sizeof *state);
    state->first = train ? 0 : DATASET_MIXTURE_TRAIN;
    dataset->stored = train ? DATASET_MIXTURE_TRAIN : DATASET_MIXTURE_TEST;
    return mixture_builtin(&state->mixture, dataset->resolution, dataset->channels, error);
}

static bool read_floats(Dataset *dataset, const int64_t *indices, int n, float *images,
                        Error *error)
{
    (void)error;
    const State *state = dataset->state;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++)
        mixture_sample(&state->mixture, mixture_seed, state->first + (uint32_t)indices[i],
                       images + (size_t)i * dataset->image_size);
    return true;
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    (void)path;
    const State *state = dataset->state;
    labels->count = dataset->stored;
    labels->values = memory_large((size_t)labels->count, sizeof *labels->values, "labels", error);
    for (int64_t i = 0; labels->values && i < labels->count; i++)
        labels->values[i] =
            mixture_component(&state->mixture, mixture_seed, state->first + (uint32_t)i);
    return labels->values != NULL;
}

static void release(void *state)
{
    mixture_free(&((State *)state)->mixture);
}

const DatasetFormat dataset_mixture = {
    .open = open_mixture,
    .read_floats = read_floats,
    .labels = read_labels,
    .release = release,
};
