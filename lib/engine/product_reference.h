/* Single elements of products, computed by plain loops in double: what oneDNN's are compared
 * with. */
#pragma once

#include "engine/product.h"

/* An operand as it lies in memory; weights of a convolution are [out, in, kernel, kernel]. */
typedef struct Tensor {
    const void *data;
    DType type;
} Tensor;

typedef struct ProductOperands {
    Tensor of[OPERAND_COUNT];
} ProductOperands;

/* An element, and what its rounding error depends on: the number of its terms and the sum of their
 * squares. */
typedef struct Expected {
    double value, squares;
    int64_t terms;
} Expected;

/* `at`: the element's position, [n, y, x, c] of the forward pass's dst or of backward data's src,
 * [out, in, y, x] of backward weights' gradient, [batch, row, column] of a matrix product. The
 * result is without what a matrix product with `accumulate` adds to. */
Expected product_element(const Product *product, const ProductOperands *operands,
                         const int64_t *at);

/* Element `channel` of the gradient of a convolution's bias. */
Expected product_bias_gradient(const Product *product, const ProductOperands *operands,
                               int64_t channel);

void expected_add(Expected *expected, double term);

/* For an algorithm that computes a tile of elements together, as Winograd's does, from operands that
 * are all random: an element's rounding errors are those of sums over the whole tile, `terms` terms
 * with this mean square, even where padding leaves the element fewer. They may be four times as
 * large as a direct sum's. */
void expected_widen(Expected *expected, int64_t terms, double mean_square);

/* How far a float32 sum of these terms, in any order, rounded once to `type`, may be from the exact
 * value. The error of a sum of n random terms is some 0.4 u sqrt(n) times their root sum of squares
 * (u = 2^-24); twenty times as much is allowed. */
double expected_tolerance(const Expected *expected, DType type);
