/* Fits the correlations within blocks (variance/block_covariance.h) to residuals of a network.
 *
 * The residuals x_0 - x_0_hat of some images and the estimates of their variances give a matrix R
 * for each bin of timesteps (stats/correlation.h). R is shrunk towards I by a share that is chosen
 * for each bin by cross-validation: the images of a bin are two halves, and the R of each half is
 * judged on the other. The loss is the KL of the step t -> 1. Nearly all of a bound at few steps
 * lies in steps to small s, and there variances matter most.
 */
#pragma once

#include "base/error.h"
#include "variance/block_covariance.h"

/* Images with their residuals. The arrays are borrowed. */
typedef struct Residuals {
    int images;
    /* The number of elements of an image. */
    size_t dims;
    /* [images]: the timesteps. */
    const int *t;
    /* [images, dims]: the estimates of Cov[x_0 | x_t], and x_0 - x_0_hat. */
    const float *cov, *off;
} Residuals;

typedef struct CorrelationFit {
    /* The fit owns the matrices. */
    BlockCorrelation correlation;
    /* [bins]: the share of I in each R; 1: the bin has no correlations. */
    double share[TIME_BINS_MAX];
    /* [bins]: by how much R lowers the KL of the step t -> 1 of unseen images, in bits per
     * dimension, a mean over images; and its standard error, 0 where the share is 1. */
    double gain[TIME_BINS_MAX], gain_error[TIME_BINS_MAX];
    /* The mean of `gain` over the bins. */
    double mean_gain;
} CorrelationFit;

/* Fits the correlations in blocks of `shape`, which has at most BLOCK_MOST_ROWS elements. The
 * results do not depend on the number of threads. A run-time error if memory runs out. The caller
 * frees the fit with correlation_fit_free in either case. */
bool correlation_fit(CorrelationFit *fit, const Residuals *residuals, const Schedule *schedule,
                     const TimeBins *bins, const BlockShape *shape, Error *error);
void correlation_fit_free(CorrelationFit *fit);
