/* Images with correlations within blocks of pixels, and their covariance as a dense matrix, made
 * element by element from the definition. */
#pragma once

#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "variance/block_covariance.h"

#include <math.h>

static inline double uniform(uint32_t sample, uint32_t index)
{
    return random_uniform((RandomKey){.seed = 77, .sample = sample}, index);
}

/* An image's estimates, residuals and correlations. */
typedef struct Case {
    BlockShape shape;
    size_t dims;
    int n;
    float *correlation, *cov;
    double *off;
    /* [dims, dims] */
    double *dense;
} Case;

/* Where an element lies in its block, and the number of its block. */
static inline int place_in_block(const BlockShape *s, size_t element, int *block)
{
    const int c = (int)element % s->channels, pixel = (int)element / s->channels;
    const int y = pixel / s->side, x = pixel % s->side;
    *block = y / s->size * 1000 + x / s->size;
    return (y % s->size * s->size + x % s->size) * s->channels + c;
}

static inline void fill_dense(Case *c)
{
    for (size_t i = 0; i < c->dims; i++)
        for (size_t j = 0; j < c->dims; j++) {
            int block_i, block_j;
            const int at_i = place_in_block(&c->shape, i, &block_i);
            const int at_j = place_in_block(&c->shape, j, &block_j);
            c->dense[i * c->dims + j] =
                block_i != block_j
                    ? 0
                    : c->correlation[at_i * c->n + at_j] * sqrt((double)c->cov[i] * c->cov[j]);
        }
}

/* Correlations that fall off with the distance of the numbers of elements, of either sign. */
static inline Case case_make(int side, int channels, int size, uint32_t seed)
{
    Case c = {.shape = {.side = side, .channels = channels, .size = size},
              .dims = (size_t)(side * side * channels)};
    c.n = block_rows(&c.shape);
    c.correlation = memory_small((size_t)(c.n * c.n), sizeof *c.correlation);
    c.cov = memory_small(c.dims, sizeof *c.cov);
    c.off = memory_small(c.dims, sizeof *c.off);
    c.dense = memory_small(c.dims * c.dims, sizeof *c.dense);
    for (int i = 0; i < c.n; i++)
        for (int j = 0; j < c.n; j++)
            c.correlation[i * c.n + j] = (float)(pow(0.6, abs(i - j)) * cos(0.3 * (i - j)));
    for (size_t i = 0; i < c.dims; i++) {
        c.cov[i] = (float)pow(10, -4 * uniform(seed, (uint32_t)i));
        c.off[i] = 0.3 * (uniform(seed + 1, (uint32_t)i) - 0.5);
    }
    fill_dense(&c);
    return c;
}

static inline void case_free(Case *c)
{
    memory_free(c->correlation), memory_free(c->cov), memory_free(c->off), memory_free(c->dense);
}
