/* Philox4x32-10 for many blocks at a time.
 *
 * A round multiplies two of a block's four words by constants, 32 by 32 bits to 64. Processors have
 * an instruction for that, on 64-bit lanes whose upper halves are ignored, but compilers (gcc 12)
 * do not find it, neither in loops nor from vector types. So each word is kept in a 64-bit lane,
 * with anything in the upper half, and this one operation is written with intrinsics for each
 * instruction set.
 */
#include "base/random.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define MULTIPLIER_0 0xd2511f53u
#define MULTIPLIER_1 0xcd9e8d57u
#define KEY_STEP_0 0x9e3779b9u /* what a round adds to the key */
#define KEY_STEP_1 0xbb67ae85u

typedef uint64_t Lanes4 __attribute__((vector_size(32)));
typedef uint64_t Lanes8 __attribute__((vector_size(64)));

#define MULTIPLY_4(lanes, by)                                                                      \
    ((Lanes4)_mm256_mul_epu32((__m256i)(lanes), _mm256_set1_epi64x((long long)(by))))
#define MULTIPLY_8(lanes, by)                                                                      \
    ((Lanes8)_mm512_mul_epu32((__m512i)(lanes), _mm512_set1_epi64((long long)(by))))

/* One round: a, b, c, d are the four words of the blocks, k0 and k1 the two of the key. */
#define ROUND(Lanes, MULTIPLY, a, b, c, d, k0, k1)                                                 \
    do {                                                                                           \
        Lanes product_a = MULTIPLY(a, MULTIPLIER_0), product_c = MULTIPLY(c, MULTIPLIER_1);        \
        a = product_c >> 32 ^ b ^ (k0);                                                            \
        b = product_c;                                                                             \
        c = product_a >> 32 ^ d ^ (k1);                                                            \
        d = product_a;                                                                             \
    } while (0)

/* Stores the lower halves of the lanes, of `even` and `odd` in turn. */
#define STORE(Lanes, to, even, odd)                                                                \
    do {                                                                                           \
        Lanes both = ((even)&0xffffffffu) | (odd) << 32;                                           \
        __builtin_memcpy(to, &both, sizeof both);                                                  \
    } while (0)

/* Defines name(key, first, count, out): draws blocks as long as they fill two vectors, one of the
 * even and one of the odd blocks; returns how many were drawn. */
#define DEFINE_BLOCKS(name, instructions, Lanes, MULTIPLY)                                         \
    __attribute__((target(instructions))) static size_t name(RandomKey key, uint32_t first,        \
                                                             size_t count, uint32_t *out)          \
    {                                                                                              \
        enum { WIDTH = sizeof(Lanes) / sizeof(uint64_t) };                                         \
        Lanes twice;                                                                               \
        for (int i = 0; i < WIDTH; i++)                                                            \
            twice[i] = 2 * (uint64_t)i;                                                            \
        const Lanes zero = twice ^ twice;                                                          \
        size_t done = 0;                                                                           \
        for (; count - done >= 2 * WIDTH; done += 2 * WIDTH) {                                     \
            uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);                     \
            Lanes a0 = twice + (first + done), a1 = a0 + 1;                                        \
            Lanes b0 = zero + key.sample, b1 = b0, c0 = zero + key.step, c1 = c0;                  \
            Lanes d0 = zero + (key.purpose | key.substream << 8), d1 = d0;                         \
            for (int round = 0; round < 10; round++) {                                             \
                ROUND(Lanes, MULTIPLY, a0, b0, c0, d0, k0, k1);                                    \
                ROUND(Lanes, MULTIPLY, a1, b1, c1, d1, k0, k1);                                    \
                k0 += KEY_STEP_0;                                                                  \
                k1 += KEY_STEP_1;                                                                  \
            }                                                                                      \
            STORE(Lanes, out + done, a0, a1);                                                      \
            STORE(Lanes, out + count + done, b0, b1);                                              \
            STORE(Lanes, out + 2 * count + done, c0, c1);                                          \
            STORE(Lanes, out + 3 * count + done, d0, d1);                                          \
        }                                                                                          \
        return done;                                                                               \
    }

DEFINE_BLOCKS(blocks_avx2, "avx2", Lanes4, MULTIPLY_4)
DEFINE_BLOCKS(blocks_avx512, "avx512f", Lanes8, MULTIPLY_8)

static size_t vector_blocks(RandomKey key, uint32_t first, size_t count, uint32_t *out)
{
    if (__builtin_cpu_supports("avx512f"))
        return blocks_avx512(key, first, count, out);
    if (__builtin_cpu_supports("avx2"))
        return blocks_avx2(key, first, count, out);
    return 0;
}

#else

static size_t vector_blocks(RandomKey key, uint32_t first, size_t count, uint32_t *out)
{
    (void)key, (void)first, (void)count, (void)out;
    return 0;
}

#endif

void random_blocks(RandomKey key, uint32_t first, size_t count, uint32_t *out)
{
    for (size_t i = vector_blocks(key, first, count, out); i < count; i++) {
        uint32_t words[4];
        random_block(key, first + (uint32_t)i, words);
        for (size_t w = 0; w < 4; w++)
            out[w * count + i] = words[w];
    }
}
