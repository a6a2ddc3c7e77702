/* Images mirrored at random, for training and for comparison: each with probability 1/2. */
#pragma once

#include "config/config.h"

#include <stdint.h>

/* The streams of random numbers, one for each use. Values are part of the meaning of a seed: never
 * renumber them. */
typedef enum FlipStream {
    FLIP_STAGE1 = 1,
    FLIP_STAGE2 = 2,
    FLIP_CLASSIFIER = 3, /* of the classifier in whose features images are compared */
    FLIP_QUALITY = 4,    /* of the real images that samples are compared with */
} FlipStream;

/* What decides about an image: these, and its number. */
typedef struct FlipKey {
    uint64_t seed;
    FlipStream stream;
    uint32_t step;
    /* [count]: numbers of the images, their indices in a data set. NULL: first, first + 1, ... */
    const int64_t *numbers;
    uint32_t first;
} FlipKey;

/* Mirrors some of images [count, resolution, resolution, channels], left to right, in place. None where
 * `config` does not ask for it (dataset_is_flipped). */
void flip_at_random(const Config *config, const FlipKey *key, int count, float *images);
