/* Pixels as bytes and as numbers. The bytes 0 to 255 are the numbers -1 to 1, in equal steps. Data
 * sets are read so, and pictures are written so. */
#pragma once

#include <math.h>
#include <stdint.h>

/* 2 byte / 255 - 1 */
static inline float pixel_of_byte(uint8_t byte)
{
    return 2.0f * (float)byte / 255.0f - 1.0f;
}

/* The byte that shows x: the nearest to 255 (x + 1) / 2, within 0 .. 255; 0 for a NaN. */
static inline uint8_t byte_of_pixel(float x)
{
    if (!(x > -1.0f)) /* or x is NaN */
        return 0;
    return x < 1.0f ? (uint8_t)lrintf(127.5f * (x + 1.0f)) : 255;
}
