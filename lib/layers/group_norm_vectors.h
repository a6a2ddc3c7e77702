/* Vectors of LANES channels, and the sigmoid of some.
 *
 * exp is 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2], as in layers/activation.h. A vector of
 * bfloat16 numbers is read and written as float32. A vector with fewer channels than LANES is read
 * with zeros in the rest.
 *
 * Included by group_norm_code.h, which defines LANES. Instruction sets have better ways for these
 * than plain C finds; the including file may define them as macros:
 *
 *     MOST(x, limit), LEAST(x, limit)     the larger and the smaller; x where x is NaN
 *     RECIPROCAL(x)                       1 / x
 *     WIDEN(half), UPPER_HALVES(bits)     16 bits to 32; the upper 16 of 32
 *     WHERE(bits, x)                      x in the lanes whose bit is set, zero elsewhere
 */
#include "engine/dtype.h"

typedef float Vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint16_t Half __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

/* Vectors that are computed step by step at most, and a step. */
enum { MOST_VECS = 4 };
#define EACH for (int k = 0; k < count; k++)

INLINED Vec splat(float x)
{
    return x - (Vec){0};
}

typedef int32_t Mask __attribute__((vector_size(4 * LANES)));

/* In each lane a where the mask is set, b elsewhere. */
INLINED Vec choose(Mask mask, Vec a, Vec b)
{
    return (Vec)(((Bits)a & (Bits)mask) | ((Bits)b & ~(Bits)mask));
}

/* x in the lanes whose bit is set, zero elsewhere. */
INLINED Vec choose_bits(uint32_t bits, Vec x)
{
    Bits bit = {0};
    for (int k = 0; k < LANES; k++)
        bit[k] = 1u << k;
    return (Vec)((Bits)((bit & bits) != 0) & (Bits)x);
}

#ifndef LEAST
#define MOST(x, limit) choose((x) < (limit), limit, x)
#define LEAST(x, limit) choose((x) > (limit), limit, x)
#endif
#ifndef RECIPROCAL
#define RECIPROCAL(x) (splat(1.0f) / (x))
#endif
#ifndef WIDEN
#define WIDEN(half) __builtin_convertvector(half, Bits)
#define UPPER_HALVES(bits) __builtin_convertvector((bits) >> 16, Half)
#endif
#ifndef WHERE
#define WHERE(bits, x) choose_bits(bits, x)
#endif

INLINED Vec widen(Half x)
{
    return (Vec)(WIDEN(x) << 16);
}

/* To the nearest, ties to even. A NaN must have zeros in its lower half. */
INLINED Half narrow(Vec x)
{
    const Bits bits = (Bits)x;
    return UPPER_HALVES(bits + 0x7fff + (bits >> 16 & 1));
}

INLINED Vec load_vec(const void *from, DType type, size_t i)
{
    if (type == DTYPE_F32)
        return *(const Vec *)((const float *)from + i);
    return widen(*(const Half *)((const uint16_t *)from + i));
}

INLINED void store_vec(void *to, DType type, size_t i, Vec x)
{
    if (type == DTYPE_F32)
        *(Vec *)((float *)to + i) = x;
    else
        *(Half *)((uint16_t *)to + i) = narrow(x);
}

/* The same of `count` lanes, all or fewer. */
INLINED Vec load_some(const void *from, DType type, size_t i, size_t count)
{
    if (count == LANES)
        return load_vec(from, type, i);
    float lanes[LANES] = {0};
    for (size_t k = 0; k < count; k++)
        lanes[k] = load(from, type, i + k);
    return *(const Vec *)lanes;
}

INLINED void store_some(void *to, DType type, size_t i, Vec x, size_t count)
{
    if (count == LANES) {
        store_vec(to, type, i, x);
        return;
    }
    float lanes[LANES];
    *(Vec *)lanes = x;
    for (size_t k = 0; k < count; k++)
        store(to, type, i + k, lanes[k]);
}

/* s := 1 / (1 + exp(-z)), about 2e-7 relative, of `count` vectors step by step: a processor waits
 * four cycles for the result of each step, and has other vectors to work on meanwhile. Arguments
 * are clamped so that exp stays normal. */
INLINED void sigmoid_vecs(Vec *s, const Vec *z, int count)
{
    const float magic = 12582912.0f;         /* 1.5 * 2^23: adding it rounds to an integer, */
    const uint32_t magic_bits = 0x4b400000u; /* which is then in the last bits */
    Vec x[MOST_VECS], n[MOST_VECS], power[MOST_VECS];
    EACH x[k] = LEAST(MOST(-z[k], splat(-87.0f)), splat(64.0f));
    EACH n[k] = x[k] * 1.44269504f + magic;
    EACH power[k] = (Vec)(((Bits)n[k] - magic_bits + 127) << 23);
    EACH n[k] -= magic;
    EACH x[k] -= n[k] * 0.693359375f; /* x - n ln 2, in two parts */
    EACH x[k] += n[k] * 2.12194440e-4f;
    EACH s[k] = x[k] * 1.9875691500e-4f + 1.3981999507e-3f;
    EACH s[k] = s[k] * x[k] + 8.3334519073e-3f;
    EACH s[k] = s[k] * x[k] + 4.1665795894e-2f;
    EACH s[k] = s[k] * x[k] + 1.6666665459e-1f;
    EACH s[k] = s[k] * x[k] + 5.0000001201e-1f;
    EACH s[k] = s[k] * x[k] + 1.0f;
    EACH s[k] = s[k] * x[k] + 1.0f;
    EACH s[k] = s[k] * power[k] + 1.0f;
    EACH s[k] = RECIPROCAL(s[k]);
}

/* Dropout's factor of LANES elements from `first`: scale or zero. */
INLINED Vec dropout_vec(const uint8_t *bits, size_t first, float scale)
{
    const uint8_t *from = bits + first / 8;
    const uint32_t word = (from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16) >> first % 8;
    return WHERE(word, splat(scale));
}
