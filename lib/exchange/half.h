/* float16 and bfloat16 as float32. Every number of both is a float32, so that nothing is rounded. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float bfloat_to_float(uint16_t half)
{
    return float_of_bits((uint32_t)half << 16);
}

/* float16 has a sign, 5 bits of exponent with the offset 15, and 10 bits of fraction. */
static inline float half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0x1f)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent > 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float subnormal = (float)fraction * 0x1p-24f;
    return sign ? -subnormal : subnormal;
}
