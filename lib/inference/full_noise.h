/* The noise of the variance full: Sigma^(1/2) z for the whole covariance of a step, which the
 * network's Jacobian J = d eps_hat / d x_t has (variance/full.c).
 *
 *     Cov   = (beta_bar / alpha_bar) (I - sqrt(beta_bar) S),    S = (J + J') / 2
 *     Sigma = lambda^2 I + gain min(max(Cov, 0), c)
 *
 * A step takes m products with S for each image (stats/lanczos.h), of PRODUCT_PASSES passes of the
 * trunk each. Memory: m + 1 images in double for each image of a batch.
 */
#pragma once

#include "base/error.h"
#include "diffusion/reverse.h"
#include "inference/full_options.h"
#include "inference/network.h"

typedef struct FullNoise FullNoise;

/* For at most `count` images at a time and spaces of `krylov` dimensions. The network must be
 * prepared, and stay so. */
bool full_noise_make(FullNoise **full, Network *network, int count, int krylov, Error *error);
void full_noise_free(FullNoise *full); /* NULL is fine */

/* noise [count, dims] := Sigma^(1/2) z of the step for images x [count, dims], z [count, dims]
 * being N(0, I). c lowers the largest eigenvalues of Cov so that their mean, by the shares of the
 * space from z, is at most full_most_mean. Those of Sigma are at most the step's max_variance. */
bool full_noise_draw(FullNoise *full, const ReverseStep *step, const float *x, int count,
                     const float *z, float *noise, Error *error);

/* The eigenvalues of Cov that all draws have seen. */
FullSeen full_noise_seen(const FullNoise *full);
