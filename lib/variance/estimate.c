/* An estimate of Cov[x_0 | x_t]: the variance fills an array, and each option then changes it.
 *
 * The options have a fixed order: average, clip, floor, scale. Each one acts on the result of the
 * one before it. So a variance does not need to know the options, and an option works with every
 * variance that it applies to.
 */
#include "variance/estimate.h"

#include <math.h>
#include <stdio.h>

EstimateOptions estimate_defaults(void)
{
    return (EstimateOptions){.clip = true, .scale = 1};
}

/* -- The options of a variance ---------------------------------------------------------------- */

/* Whether options apply to the variance. */
static bool is_estimate(const Variance *variance)
{
    return !variance_is_fixed(variance) && !variance->depends_on_step;
}

static bool is_averaged(const EstimateOptions *options, const Variance *variance)
{
    return options->average && variance->head && is_estimate(variance);
}

bool estimate_is_scalar(const EstimateOptions *options, const Variance *variance)
{
    return variance->is_scalar || variance_is_fixed(variance) || is_averaged(options, variance);
}

static bool has_clip(const EstimateOptions *options, const Variance *variance)
{
    return options->clip && is_estimate(variance);
}

static bool has_floor(const EstimateOptions *options, const Variance *variance)
{
    return options->floor > 0 && is_estimate(variance) && !variance->is_positive &&
           !estimate_is_scalar(options, variance);
}

static bool has_scale(const EstimateOptions *options, const Variance *variance)
{
    return options->scale != 1 && is_estimate(variance);
}

bool estimate_is_zero(const EstimateOptions *options, const Variance *variance)
{
    return variance_knows_x0(variance) || (options->scale == 0 && has_scale(options, variance));
}

bool estimate_has_calibration(const EstimateOptions *options, const Variance *variance)
{
    return !estimate_is_zero(options, variance) && !variance->depends_on_step;
}

/* The scale comes after the clip, so a scaled estimate is at most options->scale. beta is never
 * scaled, and is at most 1. */
double estimate_most(const EstimateOptions *options)
{
    const double scaled = options->clip ? options->scale : INFINITY;
    return scaled > 1 ? scaled : 1;
}

EstimateLabel estimate_label(const EstimateOptions *options, const Variance *variance)
{
    EstimateLabel label;
    const size_t size = sizeof label.text;
    int used = snprintf(label.text, size, "%s", variance->name);
    if (is_averaged(options, variance))
        used += snprintf(label.text + used, size - (size_t)used, "-average");
    if (has_floor(options, variance))
        used += snprintf(label.text + used, size - (size_t)used, "-floor%.9g", options->floor);
    if (has_scale(options, variance))
        snprintf(label.text + used, size - (size_t)used, "-x%.9g", options->scale);
    return label;
}

/* -- Options ---------------------------------------------------------------------------------- */

static void fill(float *cov, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        cov[i] = (float)value;
}

static double mean_of(const float *cov, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += cov[i];
    return sum / (double)count;
}

static void average(float *cov, size_t count)
{
    const double mean = mean_of(cov, count);
    for (size_t i = 0; i < count; i++)
        cov[i] = (float)mean;
}

/* Clips to [0, 1], by comparisons: fmin and fmax would hide a NaN. */
static void clip(float *cov, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cov[i] = cov[i] < 0 ? 0 : cov[i] > 1 ? 1 : cov[i];
}

/* Raises elements below `part` of the mean to this value. */
static void raise_to_floor(float *cov, size_t count, double part)
{
    const float least = (float)(part * mean_of(cov, count));
    for (size_t i = 0; i < count; i++)
        cov[i] = cov[i] < least ? least : cov[i];
}

static void rescale(float *cov, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        cov[i] = (float)(scale * cov[i]);
}

/* -- The estimate ----------------------------------------------------------------------------- */

VarianceInput estimate_input(const EstimateSource *source, int t, const float *x_t,
                             const float *eps_hat, const float *head)
{
    return (VarianceInput){
        .schedule = source->schedule,
        .t = t,
        .dims = source->dims,
        .x_t = x_t,
        .eps_hat = eps_hat,
        .head = head,
        .ms_eps = source->ms_eps,
        .ms_eps_diag = source->ms_eps_diag,
        .mixture = source->mixture,
        .clip_x0 = source->clip_x0,
        .correlation = source->correlation,
    };
}

void estimate_cov_x0(const EstimateSource *source, const Variance *variance, int t,
                     const float *x_t, const float *eps_hat, const float *head, float *cov)
{
    const VarianceInput input = estimate_input(source, t, x_t, eps_hat, head);
    const EstimateOptions *options = &source->options;
    if (variance_is_fixed(variance))
        fill(cov, source->dims, variance_fixed_cov(variance, source->schedule, t));
    else
        variance->cov(&input, cov);
    if (is_averaged(options, variance))
        average(cov, source->dims);
    if (has_clip(options, variance))
        clip(cov, source->dims);
    if (has_floor(options, variance))
        raise_to_floor(cov, source->dims, options->floor);
    if (has_scale(options, variance))
        rescale(cov, source->dims, options->scale);
}
