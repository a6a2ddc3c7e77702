#include "nn/dropout.h"

#include <math.h>

enum { PER_BLOCK = 8 }; /* elements that one block of random bits serves */

DropoutMask dropout_mask(uint64_t seed, uint32_t layer, uint32_t step, uint32_t image,
                         double probability)
{
    uint32_t dropped = (uint32_t)lrint(probability * 65536.0);
    return (DropoutMask){
        .key = {.seed = seed,
                .purpose = RANDOM_DROPOUT,
                .substream = layer,
                .step = step,
                .sample = image},
        .dropped = dropped,
        .scale = dropped < 65536 ? (float)(65536.0 / (65536.0 - dropped)) : 0.0f,
    };
}

static void fill_block(const DropoutMask *mask, uint32_t block, float out[PER_BLOCK])
{
    uint32_t bits[4];
    random_block(mask->key, block, bits);
    for (int i = 0; i < 4; i++) {
        out[2 * i] = (bits[i] & 0xffff) < mask->dropped ? 0.0f : mask->scale;
        out[2 * i + 1] = (bits[i] >> 16) < mask->dropped ? 0.0f : mask->scale;
    }
}

void dropout_fill(DropoutMask mask, float *values, size_t count)
{
    size_t i = 0;
    for (; i + PER_BLOCK <= count; i += PER_BLOCK)
        fill_block(&mask, (uint32_t)(i / PER_BLOCK), values + i);
    if (i < count) {
        float last[PER_BLOCK];
        fill_block(&mask, (uint32_t)(i / PER_BLOCK), last);
        for (size_t k = 0; i + k < count; k++)
            values[i + k] = last[k];
    }
}

void dropout_apply(DropoutMask mask, float *values, size_t count)
{
    for (size_t i = 0; i < count; i += PER_BLOCK) {
        float factor[PER_BLOCK];
        fill_block(&mask, (uint32_t)(i / PER_BLOCK), factor);
        for (size_t k = 0; k < PER_BLOCK && i + k < count; k++)
            values[i + k] *= factor[k];
    }
}
