/* Convolutions and matrix products: the only door to oneDNN.
 *
 * Everything outside this module speaks of shapes and pointers; the library's descriptors,
 * memories and attributes stay behind it, so that a new version of its interface means a new
 * primitive.c and nothing else.
 *
 * Activations are NHWC. Convolution weights are packed into whatever layout the library's
 * fastest implementation wants (primitive_pack), once each time the weights change; matrix
 * products read their operands where they lie.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* The type of activations in memory. Weights, statistics and gradients of weights are float32. */
typedef enum DType { DTYPE_F32 } DType;

size_t dtype_size(DType type); /* bytes */

typedef enum ConvPass {
    CONV_FORWARD,          /* dst = conv(src, weights) + bias [+ added] */
    CONV_BACKWARD_DATA,    /* src = gradient with respect to it, from dst's and the weights */
    CONV_BACKWARD_WEIGHTS, /* weights, bias = gradients, from src and dst's gradient */
} ConvPass;

/* A square convolution: in [n, in_size, in_size, in_channels], kernel x kernel, zeros around. */
typedef struct ConvShape {
    int n;
    int in_height, in_width, in_channels;
    int out_height, out_width, out_channels;
    int kernel, stride;
    int pad_begin, pad_end; /* rows above and columns to the left; rows below and to the right */
} ConvShape;

/* c[b] = op(a[b]) op(b[b]) [+ bias] [+ c[b]], row-major; strides in elements. */
typedef struct MatmulShape {
    int64_t batch, m, n, k;
    int64_t a_batch, a_row, a_column; /* a [m, k]: strides between batches, rows and columns */
    int64_t b_batch, b_row, b_column; /* b [k, n] */
    int64_t c_batch, c_row;           /* c [m, n]: columns are contiguous */
    bool bias;                        /* bias [n], float32 */
    bool accumulate;                  /* adds to what c holds */
    DType a_type, b_type, c_type;
} MatmulShape;

/* The operands of a primitive. For a matrix product a is SRC, b is WEIGHTS, c is DST. */
typedef enum Operand {
    OPERAND_SRC,
    OPERAND_WEIGHTS,
    OPERAND_BIAS,
    OPERAND_DST,
    OPERAND_ADDED, /* a tensor of dst's shape that a convolution adds to its result */
    OPERAND_COUNT,
} Operand;

typedef struct Primitive Primitive;

bool primitive_conv(Primitive **primitive, const ConvShape *shape, ConvPass pass, bool added,
                    DType type, Error *error);
bool primitive_matmul(Primitive **primitive, const MatmulShape *shape, Error *error);

/* From plain float32 weights [out, in, kernel, kernel] to the layout that `conv` reads, or, for
 * CONV_BACKWARD_WEIGHTS, from the layout that it writes to the plain one. SRC and DST. */
bool primitive_pack(Primitive **primitive, const Primitive *conv, Error *error);

void primitive_free(Primitive *primitive);

size_t primitive_scratch_bytes(const Primitive *primitive);
size_t primitive_weights_bytes(const Primitive *conv); /* of the packed layout */

/* Runs it. `operands` [OPERAND_COUNT] are pointers, those it does not use NULL; `scratch` has
 * primitive_scratch_bytes bytes. All pointers are aligned to 64 bytes or more for speed. */
bool primitive_run(Primitive *primitive, void *const *operands, void *scratch, Error *error);
