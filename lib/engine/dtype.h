/* The types of activations in memory, and the arithmetic of bfloat16.
 *
 * bfloat16 is the upper half of a float32: the same range, 8 bits of precision. Kernels read either
 * type, compute in float32 and round once on writing (to nearest, ties to even; NaN stays NaN).
 * They are written once over `load` and `store`, with a type that is a constant where they are
 * inlined, so that each type gets a loop of its own:
 *
 *     INLINED void scale_as(DType type, void *x, size_t count) { ... load(x, type, i) ... }
 *
 *     VECTORISED static void scale(DType type, void *x, size_t count)
 *     {
 *         if (type == DTYPE_F32)
 *             scale_as(DTYPE_F32, x, count);
 *         else
 *             scale_as(DTYPE_BF16, x, count);
 *     }
 */
#pragma once

#include "base/bf16.h"
#include "base/dispatch.h"

#include <stddef.h>
#include <stdint.h>

typedef enum DType { DTYPE_F32, DTYPE_BF16, DTYPE_COUNT } DType;

static inline size_t dtype_size(DType type) /* bytes */
{
    return type == DTYPE_F32 ? sizeof(float) : sizeof(uint16_t);
}

/* Element i of an array. */
static inline void *dtype_at(const void *array, DType type, size_t i)
{
    return (char *)array + i * dtype_size(type);
}

INLINED float load(const void *array, DType type, size_t i)
{
    return type == DTYPE_F32 ? ((const float *)array)[i]
                             : bf16_to_float(((const uint16_t *)array)[i]);
}

INLINED void store(void *array, DType type, size_t i, float value)
{
    if (type == DTYPE_F32)
        ((float *)array)[i] = value;
    else
        ((uint16_t *)array)[i] = bf16_from_float(value);
}
