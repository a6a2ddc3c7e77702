/* How far a step's Gaussian is from the best one, where the exact Cov[x_0 | x_t] is known.
 *
 * The distribution of x_s given x_t has the mean and covariance
 *
 *     mean_x0 E[x_0 | x_t] + ...        lambda^2 I + gain Cov[x_0 | x_t]
 *
 * and the Gaussian with these two is the best approximation of it. A model replaces E[x_0 | x_t] by
 * x_0_hat and Cov[x_0 | x_t] by an estimate. In units of lambda^2, with kappa = gain / lambda^2, the
 * KL of the best Gaussian and the model is
 *
 *     1/2 [tr(M^-1 T) - dims + log det M - log det T + kappa d' M^-1 d]
 *     T = I + kappa Cov[x_0 | x_t],  M = I + kappa estimate,  d = E[x_0 | x_t] - x_0_hat
 *
 * Cov[x_0 | x_t] = diag(within) + sum_k factor_k factor_k' (diffusion/mixture.h).
 */
#pragma once

#include "variance/block_covariance.h"

/* What is known of one image at timestep t. The arrays are borrowed. */
typedef struct StepTruth {
    size_t dims;
    int factors;
    /* [dims], [factors, dims] and [dims] */
    const double *within, *factor, *mean_off;
} StepTruth;

/* The KL with a diagonal estimate cov [dims], in nats. NaN if a variance of the model is not
 * positive. */
double step_distance(const StepTruth *truth, double kappa, const float *cov);

/* The KL with an estimate with the diagonal cov [dims] and the correlations R, [n, n] of blocks of
 * `shape`. */
double step_distance_correlated(const StepTruth *truth, double kappa, const BlockShape *shape,
                                const float *correlation, const float *cov);
