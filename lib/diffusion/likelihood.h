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
 *
 * A step is between two Gaussians with variances lambda^2 and lambda^2 + gain c, where c estimates
 * Cov[x_0 | x_t], and means that lie sqrt(gain) r apart, where r = x_0 - x_0_hat. Since gain / lambda^2 =
 * SNR_s - SNR_t =: kappa, with SNR = alpha_bar / beta_bar (Kingma et al. 2021, whose equation 14 is the
 * case c = 0), the step is
 *
 *     KL = 1/2 sum  log(1 + kappa c) + kappa (r^2 - c) / (1 + kappa c).
 *
 * So t and the network's outputs give r^2 and c, once; s gives kappa, and nothing else.
 */
#pragma once

#include "diffusion/reverse.h"

#include <stdbool.h>
#include <stddef.h>

/* x_0 [count], as everywhere below scaled to [-1, 1]. */
double likelihood_prior(const Schedule *schedule, int t, const float *x_0, size_t count);

/* x_0_hat [count] and off2 [count] := r^2 from x_t and the network's eps_hat, of which the sum is
 * returned; clip bounds x_0_hat to [-1, 1]. */
double likelihood_mean(const Schedule *schedule, int t, bool clip, const float *x_0,
                       const float *x_t, const float *eps_hat, size_t count, double *x_0_hat,
                       double *off2);

/* SNR_s - SNR_t for 1 <= s <= t, without taking that difference; 0 for s = t, which makes KL = 0. */
double likelihood_kappa(const Schedule *schedule, int s, int t);

/* The step with estimates cov [count], each bounded by `most` (INFINITY: not). NaN where an unclipped
 * estimate makes a variance that is not positive. */
double likelihood_step(double kappa, const double *off2, const float *cov, double most,
                       size_t count);

/* The same with one estimate for all elements, for which the sum of r^2 is enough. */
double likelihood_step_scalar(double kappa, double sum_off2, double cov, size_t count);

/* The step with variances [count] of its own, each bounded by step->max_variance, in nats. `step` is one of DDPM with
 * REVERSE_ESTIMATED, s < t. NaN where a variance is not positive. */
double likelihood_step_of_variance(const ReverseStep *step, const double *off2,
                                   const double *variance, size_t count);

/* The bound on c that keeps the step's variance lambda^2 + gain c below max_variance. */
double likelihood_most_cov(const Schedule *schedule, int s, int t, double max_variance);

/* The step from t_1 to 0: its mean, which is x_0_hat, with `variance`, gives each of the 256 levels the
 * probability of an interval of 2 / 255 around it, the outermost open to infinity (the cumulative
 * distribution by its tanh approximation, probabilities floored at 1e-12, as in the published code). */
double likelihood_decoder(double variance, const float *x_0, const double *x_0_hat, size_t count);

/* The variance of the decoder: beta_tilde_{1|2}, whatever t_1 and the variance of the steps. */
double likelihood_decoder_variance(const Schedule *schedule);

/* That of trajectories that may leave t_1 > 1 for 0 on purpose, the best ones: beta_bar_{t_1} there, as if
 * x_0 were N(0, I), and the above at t_1 = 1. */
double likelihood_free_decoder_variance(const Schedule *schedule, int t_1);
