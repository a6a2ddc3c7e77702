/* What a primitive computes, apart from how: one convolution in one direction, or one matrix
 * product. */
#pragma once

#include "engine/dtype.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ConvPass {
    CONV_FORWARD,          /* dst = conv(src, weights) + bias [+ added] */
    CONV_BACKWARD_DATA,    /* src = gradient with respect to it, from dst's and the weights */
    CONV_BACKWARD_WEIGHTS, /* weights, bias = gradients, from src and dst's gradient */
} ConvPass;

/* Which pixels a kernel of length k spans: k x k, one row of k, or one column of k. */
typedef enum ConvSpan { CONV_SQUARE, CONV_ROW, CONV_COLUMN } ConvSpan;

/* A convolution: in [n, in_height, in_width, in_channels], with zeros around. */
typedef struct ConvShape {
    int n;
    int in_height, in_width, in_channels;
    int out_height, out_width, out_channels;
    int kernel, stride;
    /* Padding: rows above and columns to the left; rows below and columns to the right. A row has
     * none above and below, a column none to the left and right. */
    int pad_begin, pad_end;
    ConvSpan span;
} ConvShape;

/* Height and width of the kernel; rows of zeros above and columns of zeros to the left. */
static inline int conv_kernel_height(const ConvShape *s)
{
    return s->span == CONV_ROW ? 1 : s->kernel;
}
static inline int conv_kernel_width(const ConvShape *s)
{
    return s->span == CONV_COLUMN ? 1 : s->kernel;
}
static inline int conv_pad_above(const ConvShape *s)
{
    return s->span == CONV_ROW ? 0 : s->pad_begin;
}
static inline int conv_pad_left(const ConvShape *s)
{
    return s->span == CONV_COLUMN ? 0 : s->pad_begin;
}

/* c[b] = a[b] b[b] [+ bias] [+ c[b]]; strides in elements. */
typedef struct MatmulShape {
    int64_t batch, m, n, k;
    /* a [m, k]: strides between batches, rows and columns. */
    int64_t a_batch, a_row, a_column;
    /* Likewise b [k, n]. */
    int64_t b_batch, b_row, b_column;
    /* Likewise c [m, n], whose columns are contiguous. */
    int64_t c_batch, c_row;
    /* Whether there is a bias [n], float32. */
    bool bias;
    /* Whether the product is added to c. */
    bool accumulate;
    bool b_packed; /* b is what primitive_pack made of a float32 matrix with
                                         those strides; of a single product, not a batch */
    DType a_type, b_type, c_type;
} MatmulShape;

/* The operands of a product. For a matrix product a is SRC, b is WEIGHTS, c is DST. */
typedef enum Operand {
    OPERAND_SRC,
    OPERAND_WEIGHTS,
    OPERAND_BIAS,
    OPERAND_DST,
    OPERAND_ADDED, /* a tensor of dst's shape that a convolution adds to its result */
    OPERAND_ROWS,  /* no tensor: a RowSource, which then computes SRC (primitive_rows_bytes) */
    OPERAND_COUNT,
} Operand;

/* An image [n, height, width, channels], float32, whose rows are computed when they are needed. */
typedef struct RowSource {
    /* to [last - first, width, channels] := rows first .. last - 1, counted over all images. Threads
     * of a team call it at the same time. */
    void (*compute)(const void *context, int first, int last, float *to);
    const void *context;
} RowSource;

typedef struct Product {
    bool is_matmul;
    MatmulShape matmul;
    /* The rest is of a convolution. */
    ConvShape conv;
    ConvPass pass;
    /* A tensor is added to the result. */
    bool added;
    /* Of src and weights; and of dst. */
    DType type, dst_type;
    /* Every product of the definition is computed: Winograd's algorithm is not wanted. */
    bool direct;
} Product;

/* "convolution forward [16, 32, 32, 3] -> [16, 32, 32, 128], 3x3, ...": different for any two
 * products that differ. Caller frees. */
char *product_text(const Product *product);

/* Floating-point operations of the plain algorithm: a multiply-add is two. Padding is counted too. */
double product_operations(const Product *product);

/* Elements of the tensors of a convolution: [n, h, w, c] and [out, in, height, width] of the kernel;
 * and of the memory that the matrices of a product span. */
int64_t conv_src_count(const ConvShape *shape);
int64_t conv_dst_count(const ConvShape *shape);
int64_t conv_weights_count(const ConvShape *shape);
int64_t matmul_a_count(const MatmulShape *shape);
int64_t matmul_b_count(const MatmulShape *shape);
int64_t matmul_c_count(const MatmulShape *shape);
