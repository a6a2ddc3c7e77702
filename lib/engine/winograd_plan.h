/* How Winograd's convolutions are cut into blocks, and where everything lies in their working
 * memory; private to winograd_forward.c and
 * winograd_gradient.c. */
#pragma once

#include "engine/winograd_kernels.h"

#include <stddef.h>

/* Forward, and backward data as a forward pass with inputs and outputs exchanged. */
typedef struct ForwardPlan {
    Tiles tiles;
    int in, out;
    /* The inputs, filled up to whole vectors. */
    int padded;
    /* Whether the weights are all brought to their points first, and tiles when they are needed; or
     * the other way round. */
    bool weights_first;
    /* Columns of outputs; tiles in a block, whole groups; and blocks. */
    int columns, block, blocks;
    /* Floats: V of a group, U from point to point, U of a column, products of a block. */
    ptrdiff_t group, next_point, column, products;
    /* Floats of what comes first, for all threads; and of what a thread needs for itself. */
    ptrdiff_t shared, own;
} ForwardPlan;

ForwardPlan forward_plan(const Winograd *winograd);

typedef struct GradientPlan {
    Tiles tiles;
    int in, out;
    /* Columns of inputs and of outputs. */
    int in_columns, out_columns;
    /* Tiles whose factors lie in memory at a time. */
    int block;
    /* Floats: the factors of a group of tiles at one point, and from column to column; from group to
     * group, and of a block, of the inputs and of the outputs; the sums of a pair of columns, at one
     * point and at all. */
    ptrdiff_t point, next_column, in_group, out_group, in_factors, out_factors, square, pair;
} GradientPlan;

GradientPlan gradient_plan(const Winograd *winograd);

size_t forward_scratch_bytes(const Winograd *winograd);
size_t gradient_scratch_bytes(const Winograd *winograd);

/* Rows first .. last - 1 of an input, counted over all images. */
typedef struct Rows {
    int first, last;
} Rows;

/* The rows that tiles first .. last - 1 reach. */
Rows rows_of_tiles(const Tiles *tiles, int first, int last);

/* Of the rows that any block of tiles reaches. */
size_t gradient_rows_bytes(const Winograd *winograd);

static inline int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static inline int smaller(int a, int b)
{
    return a < b ? a : b;
}
