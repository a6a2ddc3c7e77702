/* Throws a coin for each image: the lowest bit of the first random number of its key. */
#include "data/flip.h"

#include "base/random.h"
#include "data/dataset.h"

void flip_at_random(const Config *config, const FlipKey *key, int count, float *images)
{
    const int side = config->data.resolution, channels = config->data.channels;
    const size_t dims = (size_t)side * (size_t)side * (size_t)channels;
    if (!dataset_is_flipped(config))
        return;
    for (int i = 0; i < count; i++) {
        const RandomKey coin = {.seed = key->seed,
                                .purpose = RANDOM_FLIP,
                                .substream = key->stream,
                                .step = key->step,
                                .sample = key->numbers ? (uint32_t)key->numbers[i]
                                                       : key->first + (uint32_t)i};
        if (random_u32(coin, 0) & 1)
            dataset_flip(images + (size_t)i * dims, side, side, channels);
    }
}
