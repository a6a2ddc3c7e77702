/* A block is checked in vector registers, without a branch for each number. Where one fails, its
 * numbers are checked one by one. */
#include "base/finite.h"

#include "base/dispatch.h"

#include <math.h>
#include <stdbool.h>

enum { BLOCK = 1024 };

/* x - x is 0 for a finite x, and NaN for any other. */
VECTORISED static bool finite_float_block(const float *values, size_t count)
{
    int bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |= values[i] - values[i] != 0;
    return bad == 0;
}

VECTORISED static bool finite_double_block(const double *values, size_t count)
{
    int bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |= values[i] - values[i] != 0;
    return bad == 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t finite_floats(const float *values, size_t count)
{
    size_t i = 0;
    while (i < count && finite_float_block(values + i, least(BLOCK, count - i)))
        i += least(BLOCK, count - i);
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

size_t finite_doubles(const double *values, size_t count)
{
    size_t i = 0;
    while (i < count && finite_double_block(values + i, least(BLOCK, count - i)))
        i += least(BLOCK, count - i);
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}
