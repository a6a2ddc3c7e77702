/* A uniform sample of small blocks of images, kept during a pass over many images.
 *
 * The images of a pass do not fit in memory with their features, and sums cannot say everything
 * about them. So a sample is kept: blocks of 4 x 4 pixels, aligned at multiples of 4, each with the
 * features of its pixels and of a rim of one pixel around them, the timestep, and the residuals
 * x_0 - x_0_hat. A block gives a row (phi, residual) for each of its pixels, in which phi holds the
 * features of nine neighbours. The rows of a block share most of their features, so that a block
 * takes a quarter of the memory of its rows. The residuals of a block also show how neighbours go
 * together.
 *
 * Blocks belong to groups, one for each bin of timesteps say. Each group keeps `capacity` blocks.
 * Every block of every image has a random key, a function of (seed, substream, step, image, block).
 * A group keeps the blocks with the smallest keys. So all blocks that were offered are kept with
 * equal probability, and the sample does not depend on the number of threads, or on a stop of the
 * pass between two calls: the sample and its order are a function of the calls alone.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* Pixels along a side of a block, and along a side of its features with their rim. */
    BLOCK_SIDE = 4,
    BLOCK_PATCH = BLOCK_SIDE + 2,
};

/* Images are square. A side that is no multiple of 4 ends with smaller blocks. */
typedef struct BlockSampleShape {
    /* Pixels along a side of an image. */
    int side;
    /* Features of a pixel, and image channels. */
    int features, channels;
} BlockSampleShape;

typedef struct BlockSample BlockSample;

/* An empty sample. A group keeps as many blocks as fit in bytes / groups, at least one, and at most
 * `most`, the number of blocks that will be offered to a group in all. A larger `most` changes
 * nothing of a sample from which no block was dropped. Fails for want of memory. */
bool block_sample_make(BlockSample **sample, const BlockSampleShape *shape, int groups,
                       double bytes, int64_t most, Error *error);
void block_sample_free(BlockSample *sample); /* NULL is fine */

/* Images that are offered to a sample. The arrays are borrowed. */
typedef struct BlockOffer {
    /* The parts of the blocks' keys that the images have in common. */
    uint64_t seed;
    uint32_t substream, step;
    /* The number of the first image among those of the step. */
    uint32_t first;
    int images;
    /* [images]: the timesteps. */
    const int *t;
    /* [images, side, side, features] */
    const float *features;
    /* [images, side, side, channels]: x_0 - x_0_hat. */
    const float *residuals;
} BlockOffer;

/* Offers every block of the images to a group. */
void block_sample_offer(BlockSample *sample, int group, const BlockOffer *offer);

/* -- Reading ---------------------------------------------------------------------------------- */

/* One kept block. The arrays belong to the sample; what lies outside the image is 0. */
typedef struct Block {
    int t;
    /* Pixels that lie in the image; BLOCK_SIDE, or fewer in the last row or column of blocks. */
    int height, width;
    /* [BLOCK_PATCH, BLOCK_PATCH, features]: those of pixel (y, x) are at [y + 1, x + 1]. */
    const float *features;
    /* [BLOCK_SIDE, BLOCK_SIDE, channels] */
    const float *residuals;
} Block;

/* The number of blocks that a group keeps, and block `index` of them. */
int64_t block_sample_count(const BlockSample *sample, int group);
Block block_sample_at(const BlockSample *sample, int group, int64_t index);

const BlockSampleShape *block_sample_shape(const BlockSample *sample);
int block_sample_groups(const BlockSample *sample);

/* The most blocks that a group keeps. */
int64_t block_sample_capacity(const BlockSample *sample);

/* Bytes of the blocks that the sample keeps. */
double block_sample_bytes(const BlockSample *sample);

/* -- The state, for files --------------------------------------------------------------------- */

/* The numbers of a kept block: t, height, width, features, residuals. */
size_t block_sample_record(const BlockSample *sample);

/* The kept blocks of a group as numbers [count, record], and their keys [count], whole numbers
 * below 2^53. */
const float *block_sample_records(const BlockSample *sample, int group);
const double *block_sample_keys(const BlockSample *sample, int group);

/* The blocks of a group := `count` blocks as numbers, and their keys. An input error, without its
 * file, if the sample has no room for them or if they cannot be blocks of such a sample. */
bool block_sample_set(BlockSample *sample, int group, int64_t count, const float *records,
                      const double *keys, Error *error);

/* Adds blocks that another sample of the same shape has kept, as if they had been offered here:
 * `count` blocks as numbers, and their keys. The blocks are then in the order of their keys. */
void block_sample_merge(BlockSample *sample, int group, int64_t count, const float *records,
                        const double *keys);

/* Drops all blocks of a group. */
void block_sample_clear(BlockSample *sample, int group);
