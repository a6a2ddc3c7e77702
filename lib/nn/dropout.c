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

void dropout_draw(DropoutMask mask, size_t count, uint8_t *bits)
{
    const size_t blocks = (count + PER_BLOCK - 1) / PER_BLOCK;
    for (size_t block = 0; block < blocks; block++) {
        uint32_t words[4], eight = 0;
        random_block(mask.key, (uint32_t)block, words);
        for (int i = 0; i < 4; i++) {
            eight |= (uint32_t)((words[i] & 0xffff) >= mask.dropped) << (2 * i);
            eight |= (uint32_t)((words[i] >> 16) >= mask.dropped) << (2 * i + 1);
        }
        bits[block] = (uint8_t)eight;
    }
    bits[blocks] = 0;
}
