/* Draws masks and applies them.
 *
 * Random blocks give 128 bits each, 16 for each of eight elements, and a comparison makes one bit
 * of 16: an element is dropped if its 16 bits are below probability * 2^16.
 */
#include "layers/dropout.h"

#include "base/dispatch.h"

#include <math.h>

/* Random blocks drawn at a time. A block serves eight elements, so it makes one byte. */
enum { BLOCKS = 64 };

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

/* A byte of bits for each block: word w holds elements 2w, in its lower half, and 2w + 1. */
VECTORISED static void compare(uint8_t *restrict bits, const uint32_t *restrict words,
                               uint32_t dropped)
{
#pragma omp simd
    for (size_t i = 0; i < BLOCKS; i++) {
        uint32_t byte = 0;
        for (size_t w = 0; w < 4; w++) {
            uint32_t word = words[w * BLOCKS + i];
            byte |= (uint32_t)((word & 0xffff) >= dropped) << (2 * w);
            byte |= (uint32_t)(word >> 16 >= dropped) << (2 * w + 1);
        }
        bits[i] = (uint8_t)byte;
    }
}

size_t dropout_bytes(size_t count)
{
    const size_t beyond = 2; /* bytes that readers may take too many */
    return ((count + 7) / 8 + beyond + BLOCKS - 1) / BLOCKS * BLOCKS;
}

void dropout_bits(DropoutMask mask, uint8_t *bits, size_t count)
{
    const size_t bytes = dropout_bytes(count);
    for (size_t i = 0; i < bytes; i += BLOCKS) {
        uint32_t words[4 * BLOCKS];
        random_blocks(mask.key, (uint32_t)i, BLOCKS, words);
        compare(bits + i, words, mask.dropped);
    }
}
