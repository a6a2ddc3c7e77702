/* The input (BoundTask) and output (BoundSums) of a sweep of bounds (evaluation/bound.h). */
#pragma once

#include "base/error.h"
#include "diffusion/spectrum.h"
#include "diffusion/trajectory.h"
#include "evaluation/tenths.h"
#include "variance/predictor.h"

#include <stdint.h>

/* -- The task --------------------------------------------------------------------------------- */

/* One bound: a variance on a trajectory. */
typedef struct BoundCell {
    /* Index in BoundTask.variances. */
    int variance;
    TrajectoryKind trajectory;
    /* K, the number of steps. */
    int steps;
    /* [K + 1], ascending from 0. A step t -> t costs nothing. */
    const int *timesteps;
} BoundCell;

/* eps [count, dims] := the noise in x_t of images first .. first + count - 1. Returns false on an
 * error. */
typedef bool (*BoundNoise)(void *context, int t, int first, int count, float *eps, Error *error);

/* Finds the spectra [count] of the covariance of the variance that reads the Jacobian, at images x_t
 * [count, dims] with r = x_0 - x_0_hat [count, dims]; NULL after an error. The result belongs to the
 * context, and must live until the next call. */
typedef const Spectrum *(*BoundSpectra)(void *context, int t, int first, int count,
                                        const float *x_t, const double *r, Error *error);

typedef struct BoundTask {
    /* [variance_count] */
    const Variance *const *variances;
    int variance_count;
    /* [variance_count]: the floor of each variance's estimate, in place of that of the predictor's
     * options (EstimateOptions.floor), so that a variance may stand in the task with several floors;
     * NULL: that one. */
    const double *floors;
    /* [cell_count]; may be empty if tables are wanted. */
    const BoundCell *cells;
    int cell_count;
    /* Whether tables are wanted, of every variance. Estimates must then be clipped
     * (EstimateOptions.clip), and no variance may depend on s (bound_check_tables). */
    bool tables;
    /* Bounds the noise of the last step that adds noise, as in diffusion/reverse.h; 0: no bound. */
    double clip_pixel;
    int images;
    /* [images, dims] */
    const float *x_0;
    /* Gives the noise. NULL: noise is drawn, as a function of the seed, the split, the image's
     * index and t. */
    BoundNoise noise;
    void *noise_context;
    /* For the variance that reads the Jacobian; NULL: the task has no such variance. */
    BoundSpectra spectra;
    void *spectra_context;
    uint64_t seed;
    /* Gives training and test images different noise. */
    uint32_t split;
} BoundTask;

/* -- The result ------------------------------------------------------------------------------- */

/* The sums are in bits per dimension, and means over the images, unless a field says otherwise.
 * Errors are standard errors over images, NaN for a single image. Entries of timesteps that are not
 * visited are NaN, or infinite in tables. */
typedef struct BoundSums {
    /* [cells, images]: the bound of each image. */
    double *bits;
    /* [cells, N + 1] both: entry t is the step that leaves t, entry 0 the prior. */
    double *terms, *terms_error;
    /* [cells, images]: the variance of a bound by quadrature, as its random vectors make it; 0 for
     * other bounds. NULL: the task has no spectra. */
    double *quadrature;
    /* [variances, N + 1] each. `calibration` is the mean of r^2 / Cov[x_0 | x_t] over images and
     * elements, r = x_0 - x_0_hat: 1 is calibrated, more is overconfident. Estimates are raised to
     * the variance of rounding to a grey level first; `floored` is the fraction that was. `ratio`
     * is sum of r^2 / sum of Cov, without a floor. All are NaN for beta_tilde, whose estimate is 0,
     * and for variances that depend on s. */
    double *calibration, *calibration_error, *floored, *ratio;
    /* [variances, N + 1, 2, TENTHS]: the means of r^2 / Cov[x_0 | x_t] in the tenths of an image's
     * elements by their estimates, and the means of its square (evaluation/tenths.h), over images. NaN
     * where `calibration` is. */
    double *tenths;
    /* [variances, N + 1, N + 1]; NULL: not wanted. Entry [s][t], s < t, is the cost of t -> s. Row
     * 0 is the decoder's term with the variance of likelihood_free_decoder_variance. */
    double *tables;
} BoundSums;
