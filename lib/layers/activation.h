/* exp and the sigmoid, for loops that the compiler vectorises.
 *
 * exp is 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (the minimax one of Cephes' expf), good to
 * about 1e-7 relative; branch-free, so that it runs at the width of the vector registers. Arguments
 * are clamped to [-87, 64]. -87 keeps the result normal. 64 instead of 88: gcc evaluates exp at
 * both bounds of the clamp for every element, and at 88 the sigmoid's reciprocal is subnormal,
 * which is a hundred cycles slower.
 */
#pragma once

#include "base/dispatch.h"

#include <stdint.h>
#include <string.h>

INLINED float fast_exp(float x)
{
    const float magic = 12582912.0f;         /* 1.5 * 2^23: adding it rounds to an integer, */
    const uint32_t magic_bits = 0x4b400000u; /* which is then in the last bits */
    x = x < -87.0f ? -87.0f : x;
    x = x > 64.0f ? 64.0f : x;
    float shifted = x * 1.44269504f + magic;
    float n = shifted - magic;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* x - n ln 2, in two parts */
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits; /* not by a conversion: x may be no number */
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - magic_bits + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

INLINED float sigmoid(float z)
{
    return 1.0f / (1.0f + fast_exp(-z));
}

INLINED float silu(float z)
{
    return z * sigmoid(z);
}

INLINED float silu_derivative(float z)
{
    float s = sigmoid(z);
    return s * (1.0f + z * (1.0f - s));
}
