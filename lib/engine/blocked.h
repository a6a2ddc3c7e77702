/* Blocked layouts: how oneDNN keeps weights, and the way there and back by code of our own.
 *
 * oneDNN's convolutions read weights that are cut into small blocks, for example 16 input by 16
 * output channels, which lie in memory one after the other; the last block is filled up with zeros.
 * oneDNN's own reorders have been seen to leave garbage in place of those zeros, on some processors
 * (oneDNN issue 3280: version 3.7). So weights never go through them.
 *
 * The element at position p of a tensor lies at
 *
 *     sum over d of (p[d] / step[d]) * stride[d]  +  its place inside the block,
 *
 * step[d] being the product of the inner blocks of dimension d. The place inside the block follows
 * from the inner blocks, the last of which is contiguous.
 */
#pragma once

#include "engine/dtype.h"

#include <stdbool.h>

enum { BLOCKED_RANK = 4, BLOCKED_INNER = 12 };

typedef struct BlockedLayout {
    /* Dimensions in use, at most BLOCKED_RANK. */
    int rank;
    DType type;
    /* Elements along each dimension: of the tensor, and with the padding. */
    int64_t dims[BLOCKED_RANK], padded[BLOCKED_RANK];
    /* Elements from one block to the next along each dimension. */
    int64_t strides[BLOCKED_RANK];
    /* The inner blocks, the outermost first: their dimensions and their lengths. */
    int inner_count;
    int inner_dim[BLOCKED_INNER];
    int64_t inner_block[BLOCKED_INNER];
    /* Of the whole, padding included. */
    size_t bytes;
} BlockedLayout;

/* The tables that packing needs, made once for a layout. */
typedef struct BlockedPlan BlockedPlan;

/* `plain` [rank]: strides, in elements, of the float32 array that is packed, or unpacked to. */
BlockedPlan *blocked_plan(const BlockedLayout *layout, const int64_t *plain);
void blocked_plan_free(BlockedPlan *plan);

/* Writes every element of the tensor to its place in `packed` (layout->bytes), rounded to the
 * layout's type. Padding is not touched: it has to be zero beforehand. */
void blocked_pack(const BlockedPlan *plan, const float *plain, void *packed);

/* The way back. */
void blocked_unpack(const BlockedPlan *plan, const void *packed, float *plain);
