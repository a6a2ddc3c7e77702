/* One step of the reverse process, x_t -> x_s for 0 <= s <= t: what samplers repeat, and what
 * likelihoods are made of.
 *
 * Both samplers draw x_s from a Gaussian with a diagonal covariance,
 *     x_0_hat  = x_t / sqrt(alpha_bar_t) - sqrt(beta_bar_t / alpha_bar_t) eps_hat, clipped to
 *                [-1, 1] if wanted
 *     mean     = mean_x0 x_0_hat + mean_xt x_t + mean_eps eps_hat
 *     variance = lambda^2 + gain Cov[x_0 | x_t]      (or a fixed one, see variance.h)
 * with the coefficients
 *     DDPM       mean_x0 = sqrt(alpha_bar_s) beta_{t|s} / beta_bar_t
 *                mean_xt = sqrt(alpha_{t|s}) beta_bar_s / beta_bar_t
 *                lambda^2 = beta_tilde_{s|t},  gain = alpha_bar_s (beta_{t|s} / beta_bar_t)^2
 *     DDIM(eta)  mean_x0 = sqrt(alpha_bar_s),  mean_eps = sqrt(beta_bar_s - lambda^2)
 *                lambda^2 = eta^2 beta_tilde_{s|t}
 *                gain = (sqrt(alpha_bar_s) - mean_eps sqrt(alpha_bar_t / beta_bar_t))^2
 * (Ho et al. 2020, equation 7; Song et al. 2021, equation 12; Bao et al. 2022a, theorem 1.)
 * DDIM(1) without the clip is DDPM. The clip of x_0_hat does not reach back to eps_hat: DDIM's
 * mean joins the clipped x_0_hat and the network's own eps_hat.
 *
 * The coefficients are made once per step, in double. The functions of one element below are
 * all there is to a step, in double too, because 1 / sqrt(alpha_bar_t) reaches 20000; images
 * are float32 before and after.
 */
#pragma once

#include "base/error.h"
#include "diffusion/schedule.h"

#include <math.h>
#include <stddef.h>

typedef enum Sampler { SAMPLER_DDPM, SAMPLER_DDIM } Sampler;

/* "ddpm", "ddim"; and the sampler of a name (an input error lists the names). */
const char *sampler_name(Sampler sampler);
bool sampler_parse(const char *name, Sampler *sampler, Error *error);

/* What the variance of a step is. */
typedef enum ReverseVariance {
    REVERSE_BETA,       /* beta_{t|s}; DDPM only */
    REVERSE_BETA_TILDE, /* lambda^2 */
    REVERSE_ESTIMATED,  /* lambda^2 + gain Cov[x_0 | x_t] */
} ReverseVariance;

typedef struct ReverseOptions {
    Sampler sampler;
    double eta; /* DDIM's, 0 (deterministic with a fixed variance) to 1; DDPM ignores it */
    ReverseVariance variance;
    bool clip_x0; /* x_0_hat to [-1, 1] */
    /* The variance of steps with 0 < s <= clip_sigma_to is kept below that of noise whose mean
     * magnitude is clip_pixel grey levels of 255. Samplers set clip_sigma_to to the trajectory's
     * timesteps[1], so that only the last noise added is bounded. 0, of either, turns it off. */
    double clip_pixel;
    int clip_sigma_to;
} ReverseOptions;

/* The defaults for a sampler: eta 0, beta_tilde, clip_x0, clip_pixel 2 (DDPM) or 1 (DDIM). */
ReverseOptions reverse_defaults(Sampler sampler);

/* An input error if the options are impossible: eta outside [0, 1], a negative clip_pixel, or
 * beta with DDIM, whose steps need not add as much noise as beta_{t|s}. */
bool reverse_check(const ReverseOptions *options, Error *error);

/* sigma^2 of noise whose mean magnitude, sigma sqrt(2/pi), is `pixel` grey levels of 2/255. */
double reverse_pixel_variance(double pixel);

/* The step from t to s, all numbers resolved. */
typedef struct ReverseStep {
    int s, t;
    double x0_xt, x0_eps; /* x_0_hat = x0_xt x_t - x0_eps eps_hat */
    bool clip_x0;
    double mean_x0, mean_xt, mean_eps;
    double lambda2;        /* variance of q(x_s | x_t, x_0) */
    double gain;           /* of Cov[x_0 | x_t] in the variance; 0 for a fixed one */
    double fixed_variance; /* the rest of it: lambda2, or beta_{t|s} for REVERSE_BETA */
    double max_variance;   /* INFINITY where sigma is not clipped */
} ReverseStep;

/* Options must have passed reverse_check; 0 <= s <= t, 1 <= t <= N. A step t -> t, which quad
 * trajectories contain, stays where it is (except that a clip of x_0_hat acts). */
ReverseStep reverse_step(const Schedule *schedule, const ReverseOptions *options, int s, int t);

/* -- One element ------------------------------------------------------------------------------ */

/* Values are compared, not passed through fmin and fmax: those would turn a NaN into a number. */
static inline double reverse_x0_hat(const ReverseStep *step, double x_t, double eps_hat)
{
    double x0 = step->x0_xt * x_t - step->x0_eps * eps_hat;
    if (step->clip_x0)
        x0 = x0 < -1 ? -1 : x0 > 1 ? 1 : x0;
    return x0;
}

static inline double reverse_mean(const ReverseStep *step, double x_t, double eps_hat)
{
    return step->mean_x0 * reverse_x0_hat(step, x_t, eps_hat) + step->mean_xt * x_t +
           step->mean_eps * eps_hat;
}

/* Negative when an unclipped Cov[x_0 | x_t] is negative enough and sigma is not clipped. */
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
 *   noise [count]   N(0, 1) numbers; NULL gives the mean, and so does s = 0, where none is added
 * A negative variance adds no noise, as zero does: it says only that the head is wrong there,
 * and the published code's square root of it would spoil the whole image with a NaN. */
void reverse_step_sample(const ReverseStep *step, const float *x_t, const float *eps_hat,
                         const float *cov_x0, const float *noise, size_t count, float *x_s);
