/* What a primitive computes, apart from how: one convolution in one direction, or one matrix product. */
#pragma once

#include "nn/primitive.h"

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
} Product;

/* "convolution forward [16, 32, 32, 3] -> [16, 32, 32, 128], 3x3, ...": different for any two
 * products that differ. Caller frees. */
char *product_text(const Product *product);

/* Elements of the tensors of a convolution: [n, h, w, c] and [out, in, kernel, kernel]; and of the
 * memory that the matrices of a product span. */
int64_t conv_src_count(const ConvShape *shape);
int64_t conv_dst_count(const ConvShape *shape);
int64_t conv_weights_count(const ConvShape *shape);
int64_t matmul_a_count(const MatmulShape *shape);
int64_t matmul_b_count(const MatmulShape *shape);
int64_t matmul_c_count(const MatmulShape *shape);
