/* The arithmetic of bfloat16, the upper half of a float32: the same range, 8 bits of precision. Numbers
 * are rounded to nearest, ties to even. NaN stays NaN. */
#pragma once

#include "base/dispatch.h"

#include <stdint.h>
#include <string.h>

INLINED float bf16_to_float(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINED uint16_t bf16_from_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t quiet = bits >> 16 | 0x40; /* of a NaN, whose payload must not round to infinity */
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}
