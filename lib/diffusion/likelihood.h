/* The variational bound on -log p(x_0), term by term (Sohl-Dickstein et al. 2015; Ho et al. 2020,
 * equation 5), of the model whose reverse step is DDPM's with any variance:
 *
 *     prior      KL(q(x_t | x_0) || N(0, I)) at the last timestep of the trajectory, mostly N
 *     step       KL(q(x_s | x_t, x_0) || p(x_s | x_t)), for each pair s < t with s > 0
 *     decoder    -log p(x_0 | x_{t_1}), of a picture with 256 grey levels
 *
 * All are sums over the elements of one image, in nats and in double: in float32 the difference of two
 * cumulative probabilities near 1 is lost, and so is a difference of nearly equal variances. Divide
 * by `count` ln 2 for bits per dimension.
 */
#pragma once

#include "diffusion/reverse.h"

/* x_0 [count], as everywhere below scaled to [-1, 1]. */
double likelihood_prior(const Schedule *schedule, int t, const float *x_0, size_t count);

/* Both distributions are Gaussian with the means of `step` (DDPM, s > 0), at x_0 and at x_0_hat:
 *     KL = 1/2 sum (v - 1 - log v) + (mean_x0 (x_0 - x_0_hat))^2 / sigma^2,  v = lambda^2 / sigma^2.
 * cov_x0 [count] is Cov[x_0 | x_t], NULL for a fixed variance. A step t -> t is 0. Infinite, or NaN,
 * where an unclipped variance is not positive. */
double likelihood_step(const ReverseStep *step, const float *x_0, const float *x_t,
                       const float *eps_hat, const float *cov_x0, size_t count);

/* `step` leads from t_1 to 0: its mean, with `variance`, gives each of the 256 levels the probability
 * of an interval of 2 / 255 around it, the outermost open to infinity (the cumulative distribution by
 * its tanh approximation, probabilities floored at 1e-12, as in the published code). */
double likelihood_decoder(const ReverseStep *step, double variance, const float *x_0,
                          const float *x_t, const float *eps_hat, size_t count);

/* The variance of the decoder: beta_tilde_{1|2}, whatever t_1 and the variance of the steps. */
double likelihood_decoder_variance(const Schedule *schedule);
