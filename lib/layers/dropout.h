/* Dropout masks as a pure function of (seed, layer, step, image, element): neither threads nor
 * batch splits change one. A mask is drawn once, in the forward pass, and stored as one bit per
 * element.
 *
 * Every element gets 16 random bits, so the probability is rounded to a multiple of 2^-16; the
 * survivors are scaled by the inverse of the rounded probability, which keeps the mean exact.
 */
#pragma once

#include "base/random.h"

#include <stddef.h>

typedef struct DropoutMask {
    RandomKey key;
    /* An element is dropped when its 16 bits are below this. */
    uint32_t dropped;
    /* The factor of the elements that are kept. */
    float scale;
} DropoutMask;

DropoutMask dropout_mask(uint64_t seed, uint32_t layer, uint32_t step, uint32_t image,
                         double probability);

/* The bytes of a mask of `count` elements, a multiple of 64. dropout_bits writes all of them, two
 * at least beyond the last element's: readers may take three bytes at a time. */
size_t dropout_bytes(size_t count);

/* bits [dropout_bytes(count)]: bit i % 8 of byte i / 8 is 1 where element i is kept. */
void dropout_bits(DropoutMask mask, uint8_t *bits, size_t count);
