/* How the weight gradient cuts its work, and where everything lies in its working memory; private
 * to weight_gradient.c and the files that it calls.
 *
 * The pixels of dy are cut into blocks whose rearranged copies fit a core's cache. Threads either
 * share out the blocks, as slices that have sums of their own, or the input channels, as parts. All
 * of it depends on the shape and the number of threads alone.
 *
 * An AMX instruction multiplies 16 x 32 by 32 x 16 bfloat16 numbers and adds the product to a tile
 * of 16 x 16 floats. It sums over 32 numbers. In a row of the left factor these lie side by side;
 * in a row of the right factor, pairs of them lie side by side:
 *
 *     left tile     row o:  dy[0, o] dy[1, o] dy[2, o] ... dy[31, o]        (16 rows of 64 bytes)
 *     right tile    row p:  in[2p, c=0] in[2p+1, c=0]  in[2p, c=1] in[2p+1, c=1] ...  (the same)
 *
 * A pair is the same pixel of two images, 2p and 2p+1. (Neighbours in a row can't be a pair: the
 * taps of a 3 x 3 kernel shift the input by odd numbers of pixels, and would separate them.) A tap
 * then shifts the right factor by whole rows of a tile, and one copy of the input serves all taps.
 * The 32 numbers of a step are `step_pixels` neighbours of `images` images, 32 = step_pixels *
 * images. These are chosen so that rows of 32, 16, 8 or 4 pixels, and of 7 or 14, divide with
 * little waste.
 *
 * The units of both buffers are a tile of 16 output channels and a block of 32 input channels:
 *
 *     dy   [out tile][group of images][row][step][16 channels][step_pixels, images]
 *     in   [in block][group][input row][phase][column][images / 2 pairs][2 halves][16 channels][2]
 *
 * A phase holds the columns that are equal modulo the stride, so that neighbours of dy always meet
 * neighbours of `in`. Rows above and below the image are not stored but skipped.
 */
#pragma once

#include "engine/product.h"

/* An AMX tile holds 16 rows of 64 bytes. */
enum {
    TILE_FLOATS = 16 * 16,
    TILE = 1024,        /* bytes of any tile */
    BLOCK = 32,         /* channels: two tiles */
    STEP = 32,          /* what one instruction sums over */
    LEFT_STRIDE = 64,   /* bytes between the rows of a left tile */
    RIGHT_STRIDE = 128, /* bytes between the rows of a right tile, whose halves alternate */
    HALF = 64,          /* bytes between the two right tiles of a block */
    RIGHT_BLOCKS = 4,   /* of input, rearranged at a time */
};

typedef struct Plan {
    ConvShape shape;
    int taps;
    /* Images per group, and groups. */
    int images, groups;
    /* Pixels per step, and steps per row of dy. */
    int step_pixels, steps;
    /* Phases of a row of input, and columns per phase. */
    int phases, columns;
    /* Tiles of 16 output channels, and blocks of 32 input channels. */
    int out_tiles, in_blocks;
    /* Groups and rows that are in the buffers at a time. */
    int block_groups, block_rows;
    int row_blocks, blocks;
    /* Slices of pixels, parts of input channels, and input blocks per part. */
    int slices, parts, part_blocks;
    /* Bytes of the buffers, per tile and per block of channels. */
    ptrdiff_t left_bytes, right_bytes;
} Plan;

/* The pixels of a block: groups and rows of dy. */
typedef struct Pixels {
    int first_group, groups, first_row, rows;
} Pixels;

Plan plan_make(const ConvShape *shape, int threads);
size_t plan_scratch_bytes(const Plan *plan, int threads);
Pixels plan_pixels(const Plan *plan, int block);

/* -- Sizes ------------------------------------------------------------------------------------ */

static inline int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static inline int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Rows of input that `rows` rows of dy need. */
static inline int input_rows(const Plan *plan, int rows)
{
    return (rows - 1) * plan->shape.stride + plan->shape.kernel;
}

/* Of a pixel, and of a row of input, of the images of a group in a right buffer. */
static inline ptrdiff_t pixel_right_bytes(const Plan *plan)
{
    return plan->images / 2 * RIGHT_STRIDE;
}

static inline ptrdiff_t row_right_bytes(const Plan *plan)
{
    return plan->phases * plan->columns * pixel_right_bytes(plan);
}

static inline int right_blocks(const Plan *plan)
{
    return smaller(RIGHT_BLOCKS, plan->in_blocks);
}

/* The working memory: per slice sums [in block][out tile][tap][2 tiles] and sums of dy
 * [out channel]; per slice and part the buffers; per thread the final sums [tap][2 tiles]. */
static inline ptrdiff_t tap_sums(const Plan *plan)
{
    return plan->taps * 2 * TILE_FLOATS;
}

static inline ptrdiff_t block_sums(const Plan *plan)
{
    return plan->out_tiles * tap_sums(plan);
}

static inline ptrdiff_t weight_sums(const Plan *plan)
{
    return plan->in_blocks * block_sums(plan);
}

static inline ptrdiff_t slice_sums(const Plan *plan)
{
    return weight_sums(plan) + plan->out_tiles * 16;
}

static inline ptrdiff_t buffer_bytes(const Plan *plan)
{
    return plan->out_tiles * plan->left_bytes + right_blocks(plan) * plan->right_bytes;
}
