/* The kernels of group normalisation, once for each instruction set.
 *
 * A kernel makes one pass over an image [pixels, channels], float32 or bfloat16, and starts no
 * threads. A table holds the kernels of an instruction set; group_norm_kernels chooses the table.
 *
 * A NaN among the numbers per channel must have zeros in its lower 16 bits, as NAN has: bfloat16
 * results are rounded without a test for NaN, and other NaNs could become zero. (Processors keep
 * the upper bits of a NaN that they compute with.)
 */
#pragma once

#include "engine/dtype.h"

#include <stdbool.h>

/* What the passes over an image know of it. */
typedef struct NormImage {
    DType type;
    const void *x;
    size_t pixels, channels;
} NormImage;

/* The dropout of an image (layers/dropout.h); bits NULL where there is none. */
typedef struct NormDropout {
    const uint8_t *bits;
    float scale;
} NormDropout;

/* Numbers per channel. */
typedef struct NormAffine {
    /* xhat = scale x + offset. */
    const float *scale, *offset;
    /* z = weight xhat + bias. */
    const float *weight, *bias;
} NormAffine;

typedef struct NormKernels {
    /* Floats in a vector. */
    int lanes;
    /* Per channel: first := the first pixel, and the sums of x - first and of its square. Taking x
     * relative to the first pixel avoids cancellation in E[x^2] - E[x]^2 when the mean is large. */
    void (*sums)(const NormImage *image, float *first, float *sum, float *square);
    /* y := silu(scale x + offset), without silu if not `with_silu`, times dropout's factor. */
    void (*normalise)(const NormImage *image, bool with_silu, const float *scale,
                      const float *offset, NormDropout dropout, void *y);
    /* dz [pixels, channels] from dy, and per channel the sums of dz and of dz xhat. */
    void (*backward_sums)(const NormImage *image, bool with_silu, NormAffine affine,
                          NormDropout dropout, const void *dy, float *dz, float *sum,
                          float *sum_xhat);
    /* dx := scale (weight dz - a - xhat b), or dx += that if `add`; d_shift: its sums per channel,
     * before it is added. */
    void (*backward_input)(const NormImage *image, bool add, NormAffine affine, const float *a,
                           const float *b, const float *dz, void *dx, float *d_shift);
} NormKernels;

extern const NormKernels group_norm_baseline;
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
extern const NormKernels group_norm_avx2, group_norm_avx512;
#endif

/* Those for the processor's vectors, as far as ONEDNN_MAX_CPU_ISA allows (base/cpu.h). */
const NormKernels *group_norm_kernels(void);
