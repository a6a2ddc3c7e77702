/* A covariance of x_0 given x_t that is not diagonal: correlations within blocks of pixels.
 *
 * An image is divided into blocks of size x size pixels, with all channels. The model of
 * Cov[x_0 | x_t] in a block has two parts:
 *
 *     Cov = D^(1/2) R D^(1/2)
 *     D    the diagonal, an estimate of each element's variance at this x_t (variance/estimate.h)
 *     R    a matrix of correlations, one for each bin of timesteps, the same for all blocks
 *
 * Different blocks are independent. R = I is the diagonal covariance. A step t -> s has the
 * covariance lambda^2 I + gain Cov. With the eigenvalues e and eigenvectors Q of Cov this is
 * Q diag(lambda^2 + gain e) Q' for every s. So a bound needs, for each element, an eigenvalue and
 * the coefficient of x_0 - x_0_hat on its eigenvector. The functions for diagonal covariances
 * (diffusion/likelihood.h, diffusion/cov_grid.h) then compute the KL of every step, exactly.
 *
 * The elements of a block are numbered row by row, then by channel:
 * (y size + x) channels + c. Where the side of the image is no multiple of `size`, the blocks at
 * the right and the lower edge are smaller. Their correlations are the rows and columns of R that
 * belong to their pixels.
 */
#pragma once

#include "diffusion/reverse.h"
#include "diffusion/time_bins.h"

#include <stddef.h>

/* The largest number of elements of a block. */
enum { BLOCK_MOST_ROWS = 256 };

/* Images of side x side pixels in blocks. */
typedef struct BlockShape {
    int side, channels;
    /* The side of a block, in pixels. */
    int size;
} BlockShape;

/* The number of elements of a whole block, n = size^2 channels. */
static inline int block_rows(const BlockShape *shape)
{
    return shape->size * shape->size * shape->channels;
}

typedef struct BlockCorrelation {
    BlockShape shape;
    TimeBins bins;
    /* [bins, n, n]: R of each bin, symmetric, positive definite, with a diagonal of 1. */
    float *matrix;
} BlockCorrelation;

/* The matrix R [n, n] of timestep t. */
const float *block_correlation_at(const BlockCorrelation *correlation, int t);

/* Whether R [n, n] is symmetric and positive definite, and has a diagonal of 1. */
bool block_correlation_is_valid(const float *matrix, int n);

/* The mean correlation of pixels side by side, or one below the other, in R [n, n] of blocks of
 * `shape`, over the pairs of a block and the channels. */
double block_correlation_of_neighbours(const BlockShape *shape, const float *matrix);

/* The eigenvalues of Cov, and the squared coefficients of x_0 - x_0_hat.
 *   correlation      R [n, n]
 *   cov [dims]       D, in [0, infinity); smaller estimates count as 0
 *   off [dims]       x_0 - x_0_hat
 *   value [dims]     := the eigenvalues, at least 0
 *   square [dims]    := the squares of the coefficients
 * An eigenvalue of a block and its coefficient lie at an element of this block, in no particular
 * order. The sums over an image of `value` and `cov`, and of `square` and off^2, are equal. Several
 * threads may call the function at once. */
void block_covariance_rotate(const BlockShape *shape, const float *correlation, const float *cov,
                             const double *off, float *value, double *square);

/* noise [dims] := a draw from N(0, lambda^2 I + gain Cov), from z [dims] ~ N(0, I). The noise is L z
 * for Cholesky's factor L of each block's covariance. If step->max_variance is finite, D is first
 * lowered so that no element's variance is larger, as for diagonal covariances. Several threads may
 * call the function at once. */
void block_covariance_draw(const BlockShape *shape, const float *correlation,
                           const ReverseStep *step, const float *cov, const float *z, float *noise);
