/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011, from Random123).
 *
 *     RandomKey key = {.seed = 1234, .purpose = RANDOM_NOISE, .step = step, .sample = i};
 *     random_normal(key, eps, dims);
 *
 * A number is a pure function of (seed, purpose, substream, step, sample, element). There is no
 * state to save, so a resume needs only the step, and the numbers do not depend on the number of
 * threads or on the split of a batch. Two draws are independent if any part of their keys differs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The purposes of random numbers. The values belong to the meaning of a seed: never renumber
 * them. */
typedef enum RandomPurpose {
    RANDOM_INIT = 1,         /* initial weights;      step: 0, sample: hash of the tensor's name */
    RANDOM_SHUFFLE = 2,      /* order of an epoch;    step: epoch */
    RANDOM_FLIP = 3,         /* horizontal flips;     step: training step, sample: index in batch */
    RANDOM_TIMESTEP = 4,     /* t of a training pair; step: training step, sample: index in batch */
    RANDOM_NOISE = 5,        /* eps of a training pair, likewise */
    RANDOM_DROPOUT = 6,      /* dropout masks;        substream: the layer */
    RANDOM_SAMPLE_START = 7, /* x_T of a sample;      sample: its index */
    RANDOM_SAMPLE_NOISE = 8, /* noise of a reverse step; step: how many steps were taken before */
    RANDOM_MIXTURE = 9,      /* images of the built-in mixture; sample: the image's index */
    RANDOM_LIKELIHOOD = 10,  /* eps of a likelihood term; step: t, sample: the image's index */
    RANDOM_ANALYTIC = 11,    /* eps for analytic's constants; step: t, sample: the image's index */
    RANDOM_RESAMPLE = 12,    /* draws of a bootstrap; substream: the set, step: the resample */
    RANDOM_DIRECTION = 13,   /* directions in a space of images; sample: the direction's index */
    RANDOM_BLOCK = 14,       /* keys of blocks of a sample; step: training step, sample: index in
                                batch */
    RANDOM_HELD_OUT = 15,    /* whether an image is held out; sample: the image's index */
    RANDOM_PROBE = 20,       /* signs for products with the Jacobian; step: training step, sample:
                                index in batch */
    RANDOM_QUADRATURE = 21,  /* signs for traces of the Jacobian; substream: which vector, step: t,
                                sample: the image's index */
    RANDOM_SHIFT = 22, /* moves of a classifier's images; step: training step, sample: index in
                                batch */
} RandomPurpose;

/* Names a stream of 2^34 32-bit numbers. */
typedef struct RandomKey {
    uint64_t seed;
    /* RandomPurpose. */
    uint8_t purpose;
    /* Tells streams of one purpose apart; below 2^24. */
    uint32_t substream;
    uint32_t step;
    uint32_t sample;
} RandomKey;

/* Block `block` of the stream: four independent 32-bit numbers. */
void random_block(RandomKey key, uint32_t block, uint32_t out[4]);

/* out [4, count] := the `count` blocks from `first` on, word w of block first + i at out[w * count
 * + i]. Many times as fast as random_block. Block 0 follows block 2^32 - 1. */
void random_blocks(RandomKey key, uint32_t first, size_t count, uint32_t *out);

/* Element `element` as a 32-bit number, as a double strictly between 0 and 1, and as an integer in
 * [0, bound) with bound > 0, whose probability is off by less than 2^-32. */
uint32_t random_u32(RandomKey key, uint32_t element);
double random_uniform(RandomKey key, uint32_t element);
uint32_t random_below(RandomKey key, uint32_t element, uint32_t bound);

/* Elements 0 .. count-1 as independent N(0, 1) numbers (Box-Muller). */
void random_normal(RandomKey key, float *out, size_t count);

/* out [count] := independent signs, -1 or 1. */
void random_signs(RandomKey key, float *out, size_t count);

/* order[0 .. count-1] := a uniformly random permutation of 0 .. count-1 (Fisher-Yates). */
void random_permutation(RandomKey key, uint32_t *order, uint32_t count);
