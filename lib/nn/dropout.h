/* Dropout masks as a pure function of (seed, layer, step, image, element): neither threads nor batch
 * splits change them. Forward draws a mask once and keeps a bit per element for backward.
 *
 * Every element gets 16 random bits, so the probability is rounded to a multiple of 2^-16; the
 * survivors are scaled by the inverse of the rounded probability, which keeps the mean exact.
 */
#pragma once

#include "base/dispatch.h"
#include "base/random.h"

typedef struct DropoutMask {
    RandomKey key;
    uint32_t dropped; /* an element is dropped when its 16 bits are below this */
    float scale;      /* of the survivors */
} DropoutMask;

DropoutMask dropout_mask(uint64_t seed, uint32_t layer, uint32_t step, uint32_t image,
                         double probability);

/* A mask that has been drawn: bit i of bits[i / 8] is 1 where element i is kept. */
typedef struct DropoutBits {
    const uint8_t *bits;
    float scale;
} DropoutBits;

static inline size_t dropout_bytes(size_t count)
{
    return (count + 7) / 8 + 1; /* one more, for dropout_expand to read */
}

/* bits [dropout_bytes(count)] of elements 0 .. count - 1. */
void dropout_draw(DropoutMask mask, size_t count, uint8_t *bits);

/* factors [count] := 0 or scale, for elements first, first + 1, ... With NULL for `mask` it does
 * nothing. */
INLINED void dropout_expand(const DropoutBits *mask, size_t first, size_t count,
                            float *restrict factors)
{
    if (!mask)
        return;
    const float scale = mask->scale;
    size_t shift = first % 8, i = 0;
    const uint8_t *bits = mask->bits + first / 8;
    for (; i + 8 <= count; i += 8, bits++) {
        uint32_t eight = (uint32_t)(bits[0] | bits[1] << 8) >> shift;
        for (size_t k = 0; k < 8; k++)
            factors[i + k] = (float)(eight >> k & 1) * scale;
    }
    uint32_t rest = i < count ? (uint32_t)(bits[0] | bits[1] << 8) >> shift : 0;
    for (size_t k = 0; i + k < count; k++)
        factors[i + k] = (float)(rest >> k & 1) * scale;
}
