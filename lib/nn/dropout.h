/* Dropout masks as a pure function of (seed, layer, step, image, element): the backward pass draws
 * the same mask again instead of storing it, and neither threads nor batch splits change it.
 *
 * Every element gets 16 random bits, so the probability is rounded to a multiple of 2^-16; the
 * survivors are scaled by the inverse of the rounded probability, which keeps the mean exact.
 */
#pragma once

#include "base/random.h"

typedef struct DropoutMask {
    RandomKey key;
    uint32_t dropped; /* an element is dropped when its 16 bits are below this */
    float scale;      /* of the survivors */
} DropoutMask;

DropoutMask dropout_mask(uint64_t seed, uint32_t layer, uint32_t step, uint32_t image,
                         double probability);

/* mask [count] := 0 or scale. */
void dropout_fill(DropoutMask mask, float *values, size_t count);

/* values [count] *= mask. */
void dropout_apply(DropoutMask mask, float *values, size_t count);
