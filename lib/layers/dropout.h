/* Dropout masks as a pure function of (seed, layer, step, image, element): neither threads nor
 * batch splits change one. A mask is drawn once, in the forward pass, and stored as one bit per
 * element.
 *
 * Every element gets 16 random bits, so the probability is rounded to a multiple of 2^-16; the
 * survivors are scaled by the inverse of the rounded probability, which keeps the mean exact.
 */
#pragma once

#include "base/dispatch.h"
#include "base/random.h"

#include <string.h>

typedef struct DropoutMask {
    RandomKey key;
    /* An element is dropped when its 16 bits are below this. */
    uint32_t dropped;
    /* The factor of the elements that are kept. */
    float scale;
} DropoutMask;

DropoutMask dropout_mask(uint64_t seed, uint32_t layer, uint32_t step, uint32_t image,
                         double probability);

/* The bytes of a mask of `count` elements, a multiple of 64. dropout_bits writes all of them, and
 * dropout_factors reads some beyond the last element's. */
size_t dropout_bytes(size_t count);

/* bits [dropout_bytes(count)]: bit i % 8 of byte i / 8 is 1 where element i is kept. */
void dropout_bits(DropoutMask mask, uint8_t *bits, size_t count);

/* dropout_factors writes whole vectors: room for `count` numbers rounded up to a multiple of
 * this. */
enum { DROPOUT_WIDTH = 16 };

typedef uint32_t DropoutLanes __attribute__((vector_size(DROPOUT_WIDTH * sizeof(uint32_t))));

/* factors [count] := scale where elements first, first + 1, ... are kept, 0 where they are not. A
 * vector type, since clang makes scattered stores of the plain loop over 16 bits. */
INLINED void dropout_factors(float *restrict factors, const uint8_t *restrict bits, size_t first,
                             size_t count, float scale)
{
    DropoutLanes bit, scales;
    for (int k = 0; k < DROPOUT_WIDTH; k++) {
        bit[k] = 1u << k;
        memcpy((char *)&scales + k * sizeof scale, &scale, sizeof scale);
    }
    for (size_t i = 0; i < count; i += DROPOUT_WIDTH) {
        const uint8_t *from = bits + (first + i) / 8;
        uint32_t word = (from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16) >> first % 8;
        DropoutLanes kept = (DropoutLanes)((bit & word) != 0) & scales;
        memcpy(factors + i, &kept, sizeof kept);
    }
}
