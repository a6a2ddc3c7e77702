/* Numbers of several kinds, each made of the 32-bit words of a block (Philox, from Random123). */
#include "base/random.h"

#include <Random123/philox.h>

#include <assert.h>
#include <math.h>

/* A key and a block number have 192 bits, which fill Philox's 64-bit key and 128-bit counter
 * exactly. So two draws with different keys never share a block. */
void random_block(RandomKey key, uint32_t block, uint32_t out[4])
{
    assert(key.substream < 1u << 24);
    philox4x32_key_t seed = {{(uint32_t)key.seed, (uint32_t)(key.seed >> 32)}};
    philox4x32_ctr_t counter = {
        {block, key.sample, key.step, (uint32_t)key.purpose | key.substream << 8}};
    philox4x32_ctr_t result = philox4x32(counter, seed);
    for (int i = 0; i < 4; i++)
        out[i] = result.v[i];
}

uint32_t random_u32(RandomKey key, uint32_t element)
{
    uint32_t words[4];
    random_block(key, element / 4, words);
    return words[element % 4];
}

/* The middle of one of 2^32 equal cells: never 0, never 1. */
static double unit(uint32_t word)
{
    return (word + 0.5) * 0x1p-32;
}

double random_uniform(RandomKey key, uint32_t element)
{
    return unit(random_u32(key, element));
}

uint32_t random_below(RandomKey key, uint32_t element, uint32_t bound)
{
    return (uint32_t)((uint64_t)random_u32(key, element) * bound >> 32);
}

/* Box-Muller in double: where mathematical libraries differ in the last bit, rounding to float
 * hides nearly all of it. */
static void normal_pair(uint32_t first, uint32_t second, float out[2])
{
    double radius = sqrt(-2 * log(unit(first)));
    double angle = 2 * M_PI * unit(second);
    out[0] = (float)(radius * cos(angle));
    out[1] = (float)(radius * sin(angle));
}

void random_normal(RandomKey key, float *out, size_t count)
{
    for (size_t start = 0; start < count; start += 4) {
        uint32_t words[4];
        float normals[4];
        random_block(key, (uint32_t)(start / 4), words);
        normal_pair(words[0], words[1], normals);
        normal_pair(words[2], words[3], normals + 2);
        for (size_t i = 0; i < 4 && start + i < count; i++)
            out[start + i] = normals[i];
    }
}

void random_signs(RandomKey key, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = random_u32(key, (uint32_t)i) & 1 ? 1 : -1;
}

void random_permutation(RandomKey key, uint32_t *order, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t left = count; left > 1; left--) {
        uint32_t chosen = random_below(key, left - 1, left);
        uint32_t last = order[left - 1];
        order[left - 1] = order[chosen];
        order[chosen] = last;
    }
}
