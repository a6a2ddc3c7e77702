/* One step of the reverse process, x_t -> x_s for 0 <= s <= t. Samplers repeat it, and likelihoods
 * are made of it.
 *
 * Both samplers draw x_s from a Gaussian with a diagonal covariance, unless a variance draws its own
 * noise (variance/variance.h):
 *     x_0_hat  = x_t / sqrt(alpha_bar_t) - sqrt(beta_bar_t / alpha_bar_t) eps_hat, clipped to
 *                [-1, 1] if wanted
 *     mean     = mean_x0 x_0_hat + mean_xt x_t + mean_eps eps_hat
 *     variance = lambda^2 + gain Cov[x_0 | x_t]      (or a fixed one, variance/variance.h)
 * with the coefficients
 *     DDPM       mean_x0 = sqrt(alpha_bar_s) beta_{t|s} / beta_bar_t
 *                mean_xt = sqrt(alpha_{t|s}) beta_bar_s / beta_bar_t
 *                lambda^2 = beta_tilde_{s|t},  gain = alpha_bar_s (beta_{t|s} / beta_bar_t)^2
 *     DDIM(eta)  mean_x0 = sqrt(alpha_bar_s),  mean_eps = sqrt(beta_bar_s - lambda^2)
 *                lambda^2 = eta^2 beta_tilde_{s|t}
 *                gain = (sqrt(alpha_bar_s) - mean_eps sqrt(alpha_bar_t / beta_bar_t))^2
 * (Ho et al. 2020, equation 7; Song et al. 2021, equation 12; Bao et al. 2022a, theorem 1.)
 * A correction of the mean divides eps_hat by a number, in x_0_hat and in the mean
 * (diffusion/mean_correction.h). The variance stays the same.
 * DDIM(1) without the clip is DDPM. The clip changes x_0_hat but not eps_hat: DDIM's mean is made
 * of the clipped x_0_hat and the network's own eps_hat.
 *
 * reverse_step() computes the coefficients once per step, in double. The functions of one element
 * below then do the whole step. They are in double too, because 1 / sqrt(alpha_bar_t) reaches
 * 20000. Images are float32 before and after a step.
 */
#pragma once

#include "base/error.h"
#include "diffusion/mean_correction.h"
#include "diffusion/schedule.h"

#include <math.h>
#include <stddef.h>

typedef enum Sampler { SAMPLER_DDPM, SAMPLER_DDIM } Sampler;

/* "ddpm" or "ddim", a constant string. */
const char *sampler_name(Sampler sampler);

/* The sampler with this name. An input error lists the names. */
bool sampler_parse(const char *name, Sampler *sampler, Error *error);

/* The variance of a step. {0} is the variance lambda^2 + gain Cov[x_0 | x_t], with an estimate of
 * Cov[x_0 | x_t]. */
typedef struct ReverseVariance {
    /* Whether the schedule alone gives the variance:
     *     beta_share beta_{t|s} + (1 - beta_share) lambda^2 */
    bool is_fixed;
    /* From 0 to 1; above 0 with DDPM only. The noise of DDIM's steps may be smaller than
     * beta_{t|s}. */
    double beta_share;
} ReverseVariance;

typedef struct ReverseOptions {
    Sampler sampler;
    /* DDIM's eta, from 0 (deterministic with a fixed variance) to 1. DDPM ignores it. */
    double eta;
    ReverseVariance variance;
    /* Whether x_0_hat is clipped to [-1, 1]. */
    bool clip_x0;
    /* Steps with 0 < s <= clip_sigma_to have at most the variance of noise with a mean magnitude of
     * clip_pixel grey levels of 255. Samplers set clip_sigma_to to the trajectory's timesteps[1]:
     * this bounds only the last noise that is added. 0 in either field: no bound. */
    double clip_pixel;
    int clip_sigma_to;
    /* A step's coefficients contain eps_scale. DCW is the sampler's work. */
    MeanCorrection correction;
} ReverseOptions;

/* The defaults of a sampler: eta 0, beta_tilde, clip_x0, clip_pixel 2 (DDPM) or 1 (DDIM),
 * clip_sigma_to 0. */
ReverseOptions reverse_defaults(Sampler sampler);

/* Checks the options. It is an input error if DDIM's eta is outside [0, 1], if clip_pixel is
 * negative or infinite, if the divisor of eps_hat is not above 0, or if DCW's strengths are not
 * finite. (variance_check_step() checks beta_share too.) */
bool reverse_check(const ReverseOptions *options, Error *error);

/* The variance sigma^2 of Gaussian noise with the mean magnitude sigma sqrt(2/pi) = `pixel` grey
 * levels. A grey level is 2/255. */
double reverse_pixel_variance(double pixel);

/* The coefficients of the step from t to s. */
typedef struct ReverseStep {
    int s, t;
    /* x_0_hat = x0_xt x_t - x0_eps eps_hat */
    double x0_xt, x0_eps;
    bool clip_x0;
    double mean_x0, mean_xt, mean_eps;
    /* The variance of q(x_s | x_t, x_0). */
    double lambda2;
    /* The factor of Cov[x_0 | x_t] in the variance; 0 for a fixed variance. */
    double gain;
    /* The other part of the variance: lambda2, or the fixed variance. */
    double fixed_variance;
    /* The upper bound of the variance; INFINITY: no bound. */
    double max_variance;
    /* Whether its noise is the first or the last of a trajectory. reverse_step, which knows no
     * trajectory, leaves it false. */
    bool is_end;
} ReverseStep;

/* The step from t to s, 0 <= s <= t, 1 <= t <= N. The options must have passed reverse_check(), and
 * DDIM must have beta_share 0.
 * Quad trajectories contain steps t -> t. Such a step returns x_t, unless the clip of x_0_hat
 * acts. */
ReverseStep reverse_step(const Schedule *schedule, const ReverseOptions *options, int s, int t);

/* -- One element ------------------------------------------------------------------------------ */

/* x_0_hat of one element. The clip uses comparisons, because fmin and fmax would turn a NaN
 * into a number. */
static inline double reverse_x0_hat(const ReverseStep *step, double x_t, double eps_hat)
{
    double x0 = step->x0_xt * x_t - step->x0_eps * eps_hat;
    if (step->clip_x0)
        x0 = x0 < -1 ? -1 : x0 > 1 ? 1 : x0;
    return x0;
}

/* The mean of x_s, for one element. */
static inline double reverse_mean(const ReverseStep *step, double x_t, double eps_hat)
{
    return step->mean_x0 * reverse_x0_hat(step, x_t, eps_hat) + step->mean_xt * x_t +
           step->mean_eps * eps_hat;
}

/* The variance of x_s, for one element with the estimate cov_x0. It is negative if cov_x0 is
 * negative enough and max_variance is INFINITY. */
static inline double reverse_variance(const ReverseStep *step, double cov_x0)
{
    double variance = step->fixed_variance + step->gain * cov_x0;
    if (step->max_variance < INFINITY)
        variance = variance < 0 ? 0 : variance > step->max_variance ? step->max_variance : variance;
    return variance;
}

/* -- Images ----------------------------------------------------------------------------------- */

/* x_s [count] := a sample of the step from x_t [count]; x_s may be x_t.
 *   cov_x0 [count]  the estimate of Cov[x_0 | x_t]; NULL for a fixed variance
 *   noise [count]   N(0, 1) numbers; NULL gives the mean
 * A step to s = 0 adds no noise, and gives the mean. A negative variance adds no noise either: it
 * only means that the head is wrong there. (The published code takes its square root, and the NaN
 * spoils the whole image.) */
void reverse_step_sample(const ReverseStep *step, const float *x_t, const float *eps_hat,
                         const float *cov_x0, const float *noise, size_t count, float *x_s);
