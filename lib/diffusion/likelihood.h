/* The terms of the variational bound on -log p(x_0) (Sohl-Dickstein et al. 2015; Ho et al. 2020,
 * equation 5). The model's reverse step is DDPM's, with any variance:
 *
 *     prior      KL(q(x_t | x_0) || N(0, I)) at the last timestep of the trajectory, usually N
 *     step       KL(q(x_s | x_t, x_0) || p(x_s | x_t)), for each pair s < t with s > 0
 *     decoder    -log p(x_0 | x_{t_1}), of a picture with 256 grey levels
 *
 * Every term is a sum over the elements of one image, in nats. Divide by `count` ln 2 for bits per
 * dimension. All arithmetic is in double. float32 would lose the difference of two cumulative
 * probabilities near 1, and the difference of two nearly equal variances.
 *
 * A step compares two Gaussians. Their variances are lambda^2 and lambda^2 + gain c, where c
 * estimates Cov[x_0 | x_t]. The distance between their means is sqrt(gain) r, where
 * r = x_0 - x_0_hat. With SNR = alpha_bar / beta_bar,
 *
 *     gain / lambda^2 = SNR_s - SNR_t =: kappa
 *     KL = 1/2 sum  log(1 + kappa c) + kappa (r^2 - c) / (1 + kappa c).
 *
 * (The case c = 0 is equation 14 of Kingma et al. 2021.) So r^2 and c do not depend on s, and are
 * computed once per timestep t. s changes kappa, and nothing else.
 */
#pragma once

#include "diffusion/reverse.h"

#include <stdbool.h>
#include <stddef.h>

/* The prior term at timestep t, in nats. x_0 [count] is scaled to [-1, 1], here and in all
 * functions below. */
double likelihood_prior(const Schedule *schedule, int t, const float *x_0, size_t count);

/* x_0_hat [count] := the prediction from x_t [count] and the network's eps_hat [count]; off2
 * [count] := r^2. Returns the sum of r^2. `clip` bounds x_0_hat to [-1, 1]. */
double likelihood_mean(const Schedule *schedule, int t, bool clip, const float *x_0,
                       const float *x_t, const float *eps_hat, size_t count, double *x_0_hat,
                       double *off2);

/* SNR_s - SNR_t, 1 <= s <= t, computed without this subtraction. It is 0 for s = t, and then
 * KL = 0. */
double likelihood_kappa(const Schedule *schedule, int s, int t);

/* The step term with the estimates cov [count] and off2 [count] = r^2, in nats. Estimates above
 * `most` are lowered to it; INFINITY: no bound. NaN if an estimate makes a variance zero or
 * negative; only unclipped estimates can. */
double likelihood_step(double kappa, const double *off2, const float *cov, double most,
                       size_t count);

/* The same with one estimate for all `count` elements. The sum of r^2 is enough then. */
double likelihood_step_scalar(double kappa, double sum_off2, double cov, size_t count);

/* The step term with the given variances of x_s, variance [count], in nats. Variances above
 * step->max_variance are lowered to it. `step` is a DDPM step with an estimated variance, s < t; off2
 * [count] = r^2. NaN if a variance is zero or negative. */
double likelihood_step_of_variance(const ReverseStep *step, const double *off2,
                                   const double *variance, size_t count);

/* The largest c for which the step's variance lambda^2 + gain c is at most max_variance. */
double likelihood_most_cov(const Schedule *schedule, int s, int t, double max_variance);

/* The decoder term, in nats: the step from t_1 to 0. The distribution of x_0 is a Gaussian with
 * mean x_0_hat [count] and `variance`. The probability of a grey level is that Gaussian's integral
 * over an interval of width 2 / 255 around the level. The intervals of the lowest and the highest
 * level extend to infinity. As in the published code, the cumulative distribution is its tanh
 * approximation, and probabilities are at least 1e-12. */
double likelihood_decoder(double variance, const float *x_0, const double *x_0_hat, size_t count);

/* The decoder's variance: beta_tilde_{1|2}, for every t_1 and every variance of the steps. */
double likelihood_decoder_variance(const Schedule *schedule);

/* The decoder's variance for the best trajectories (best_path.h), which may go from any t_1 to 0:
 * beta_bar_{t_1} for t_1 > 1, as if x_0 were N(0, I), and likelihood_decoder_variance() for
 * t_1 = 1. */
double likelihood_free_decoder_variance(const Schedule *schedule, int t_1);
