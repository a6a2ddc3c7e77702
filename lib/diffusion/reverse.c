/* The coefficients of a step, and the step for an image.
 *
 * ddpm() and ddim() are the two rows of reverse.h's table (Ho et al. 2020, equation 7; Song et al.
 * 2021, equation 12). reverse_step() adds the choice of the variance and its upper bound.
 */
#include "diffusion/reverse.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const samplers[] = {
    [SAMPLER_DDPM] = "ddpm",
    [SAMPLER_DDIM] = "ddim",
};

const char *sampler_name(Sampler sampler)
{
    return samplers[sampler];
}

bool sampler_parse(const char *name, Sampler *sampler, Error *error)
{
    for (int i = SAMPLER_DDPM; i <= SAMPLER_DDIM; i++) {
        if (strcmp(name, samplers[i]) == 0) {
            *sampler = (Sampler)i;
            return true;
        }
    }
    return error_input(error, "expected ddpm or ddim, got \"%s\"", name);
}

ReverseOptions reverse_defaults(Sampler sampler)
{
    return (ReverseOptions){
        .sampler = sampler,
        .eta = 0,
        .variance = {.is_fixed = true},
        .clip_x0 = true,
        .clip_pixel = sampler == SAMPLER_DDPM ? 2 : 1,
        .clip_sigma_to = 0,
    };
}

bool reverse_check(const ReverseOptions *options, Error *error)
{
    if (options->sampler == SAMPLER_DDIM && !(options->eta >= 0 && options->eta <= 1))
        return error_input(error, "eta: expected a number from 0 to 1, got %g", options->eta);
    if (!(options->clip_pixel >= 0 && options->clip_pixel < INFINITY))
        return error_input(error,
                           "clip-pixel: expected a number of grey levels, 0 for none, got %g",
                           options->clip_pixel);
    const MeanCorrection *correction = &options->correction;
    const double scale = mean_correction_scale(correction);
    if (!(scale > 0 && scale < INFINITY))
        return error_input(error, "eps-scale: expected a number above 0, got %g", scale);
    if (!isfinite(correction->dcw_low) || !isfinite(correction->dcw_high))
        return error_input(error, "dcw: expected two finite numbers, got %g and %g",
                           correction->dcw_low, correction->dcw_high);
    return true;
}

double reverse_pixel_variance(double pixel)
{
    double sigma = pixel * 2 / 255 * sqrt(M_PI / 2);
    return sigma * sigma;
}

/* DDPM's mean_x0, mean_xt, lambda2 and gain. */
static void ddpm(const Schedule *schedule, ReverseStep *step)
{
    int s = step->s, t = step->t;
    double part = schedule_skip_beta(schedule, s, t) / schedule->beta_bar[t];
    step->mean_x0 = sqrt(schedule->alpha_bar[s]) * part;
    step->mean_xt =
        sqrt(schedule_skip_alpha(schedule, s, t)) * schedule->beta_bar[s] / schedule->beta_bar[t];
    step->lambda2 = schedule_beta_tilde(schedule, s, t);
    step->gain = schedule->alpha_bar[s] * part * part;
}

/* DDIM's mean_x0, mean_eps, lambda2 and gain. */
static void ddim(const Schedule *schedule, double eta, ReverseStep *step)
{
    int s = step->s, t = step->t;
    step->lambda2 = eta * eta * schedule_beta_tilde(schedule, s, t);
    /* beta_tilde <= beta_bar_s, so the rest is at least 0 for eta <= 1, but for rounding. */
    double rest = fmax(schedule->beta_bar[s] - step->lambda2, 0);
    double root =
        sqrt(schedule->alpha_bar[s]) - sqrt(rest * schedule->alpha_bar[t] / schedule->beta_bar[t]);
    step->mean_x0 = sqrt(schedule->alpha_bar[s]);
    step->mean_eps = sqrt(rest);
    step->gain = root * root;
}

ReverseStep reverse_step(const Schedule *schedule, const ReverseOptions *options, int s, int t)
{
    assert(0 <= s && s <= t && 1 <= t && t <= schedule->timesteps);
    ReverseStep step = {
        .s = s,
        .t = t,
        .x0_xt = 1 / sqrt(schedule->alpha_bar[t]),
        .x0_eps = sqrt(schedule->beta_bar[t] / schedule->alpha_bar[t]),
        .clip_x0 = options->clip_x0,
        .max_variance = INFINITY,
    };
    if (options->sampler == SAMPLER_DDPM)
        ddpm(schedule, &step);
    else
        ddim(schedule, options->eta, &step);

    /* After the variance, which is of the network's own eps_hat. */
    const double scale = mean_correction_scale(&options->correction);
    step.x0_eps /= scale;
    step.mean_eps /= scale;

    const double share = options->variance.beta_share;
    step.fixed_variance = share * schedule_skip_beta(schedule, s, t) + (1 - share) * step.lambda2;
    if (options->variance.is_fixed)
        step.gain = 0;
    if (options->clip_pixel > 0 && 0 < s && s <= options->clip_sigma_to)
        step.max_variance = reverse_pixel_variance(options->clip_pixel);
    return step;
}

void reverse_step_sample(const ReverseStep *step, const float *x_t, const float *eps_hat,
                         const float *cov_x0, const float *noise, size_t count, float *x_s)
{
    bool noisy = noise != NULL && step->s > 0;
    for (size_t i = 0; i < count; i++) {
        double x = reverse_mean(step, x_t[i], eps_hat[i]);
        if (noisy) {
            double variance = reverse_variance(step, cov_x0 ? cov_x0[i] : 0);
            x += sqrt(variance < 0 ? 0 : variance) * noise[i];
        }
        x_s[i] = (float)x;
    }
}
