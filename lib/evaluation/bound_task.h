/* What a sweep of bounds is asked for, and what comes out: the types of evaluation/bound.h, which its parts share. */
#pragma once

#include "base/error.h"
#include "diffusion/trajectory.h"
#include "variance/predictor.h"

#include <stdint.h>

/* -- Which bounds, of what -------------------------------------------------------------------- */

/* A bound: of one variance on one trajectory. */
typedef struct BoundCell {
    /* Index in BoundTask.variances. */
    int variance;
    TrajectoryKind trajectory;
    /* K. */
    int steps;
    /* [K + 1], from 0 up. A step t -> t costs nothing. */
    const int *timesteps;
} BoundCell;

/* eps [count, dims] := the noise in x_t of images first .. first + count - 1. */
typedef bool (*BoundNoise)(void *context, int t, int first, int count, float *eps, Error *error);

typedef struct BoundTask {
    /* [variance_count] */
    const Variance *const *variances;
    int variance_count;
    /* [cell_count]; none is fine: only tables then. */
    const BoundCell *cells;
    int cell_count;
    /* Whether the tables of every variance are wanted. Estimates must be clipped (EstimateOptions.clip), and no
     * variance may depend on s (bound_check_tables). */
    bool tables;
    /* Bounds the noise of the last step that adds some, as in diffusion/reverse.h; 0: no bound. */
    double clip_pixel;
    int images;
    /* [images, dims] */
    const float *x_0;
    /* NULL: drawn, a function of the seed, the split, the image's index and t. */
    BoundNoise noise;
    void *noise_context;
    uint64_t seed;
    /* Tells the noise of training images from the noise of test images. */
    uint32_t split;
} BoundTask;

/* -- What comes out --------------------------------------------------------------------------- */

/* Bits per dimension, means over the images unless it says otherwise. Errors are standard errors over images, NaN for
 * a single image. A timestep that is not visited is NaN, in tables infinite. */
typedef struct BoundSums {
    /* [cells, images]: the bound of each image. */
    double *bits;
    /* [cells, N + 1] both: entry t is the step from t, entry 0 the prior. */
    double *terms, *terms_error;
    /* [variances, N + 1] each: the mean of r^2 / Cov[x_0 | x_t] over images and elements, r = x_0 - x_0_hat: 1 is
     * calibrated, more is overconfident. Estimates below the variance of rounding to a grey level count as that;
     * `floored` is their share. `ratio` is sum of r^2 / sum of Cov. All are NaN for beta_tilde and for variances that
     * depend on s. */
    double *calibration, *calibration_error, *floored, *ratio;
    /* [variances, N + 1, N + 1], entry [s][t] the cost of t -> s, s < t; NULL: not wanted. Row 0 is the decoder's, with
     * the variance of likelihood_free_decoder_variance. */
    double *tables;
} BoundSums;
