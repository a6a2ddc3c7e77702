#include "variance/estimate.h"

#include "base/memory.h"
#include "diffusion/reverse.h"

#include <math.h>
#include <stdio.h>

EstimateOptions estimate_defaults(void)
{
    return (EstimateOptions){.clip = true, .scale = 1};
}

bool estimate_is_scalar(const EstimateOptions *options, VarianceKind kind)
{
    return variance_is_fixed(kind) || kind == VARIANCE_ANALYTIC ||
           (variance_head(kind) && options->average);
}

bool estimate_is_zero(const EstimateOptions *options, VarianceKind kind)
{
    return kind == VARIANCE_BETA_TILDE || (options->scale == 0 && !variance_is_fixed(kind));
}

/* The scale comes after the clip, and beta, which is never scaled, is at most 1. */
double estimate_most(const EstimateOptions *options)
{
    const double scaled = options->clip ? options->scale : INFINITY;
    return scaled > 1 ? scaled : 1;
}

static bool has_floor(const EstimateOptions *options, VarianceKind kind)
{
    return options->floor > 0 && !estimate_is_scalar(options, kind);
}

static bool has_scale(const EstimateOptions *options, VarianceKind kind)
{
    return options->scale != 1 && !variance_is_fixed(kind);
}

EstimateLabel estimate_label(const EstimateOptions *options, VarianceKind kind)
{
    EstimateLabel label;
    const size_t size = sizeof label.text;
    int used = snprintf(label.text, size, "%s", variance_name(kind));
    if (variance_head(kind) && options->average)
        used += snprintf(label.text + used, size - (size_t)used, "-average");
    if (has_floor(options, kind))
        used += snprintf(label.text + used, size - (size_t)used, "-floor%.9g", options->floor);
    if (has_scale(options, kind))
        snprintf(label.text + used, size - (size_t)used, "-x%.9g", options->scale);
    return label;
}

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

/* The clip comes after: it is of what is used. */
static void average(float *cov, size_t count, bool clip)
{
    const double mean = mean_of(cov, count);
    fill(cov, count, clip ? variance_clipped(mean) : mean);
}

/* E[(x_0 - x_0_hat)^2 | x_t] = Cov[x_0 | x_t] + (E[x_0 | x_t] - x_0_hat)^2, with the mean's own error. */
static void exact(const EstimateSource *source, int t, const float *x_t, const float *eps_hat,
                  float *cov)
{
    const ReverseOptions options = {.sampler = SAMPLER_DDPM, .clip_x0 = source->clip_x0};
    const ReverseStep step = reverse_step(source->schedule, &options, 0, t);
    const size_t dims = source->dims;
    double *x = memory_small(3 * dims, sizeof *x), *eps = x + dims, *within = eps + dims;
    for (size_t i = 0; i < dims; i++)
        x[i] = x_t[i];
    mixture_moments(source->mixture, source->schedule, t, x, eps, NULL, within);
    for (size_t i = 0; i < dims; i++) {
        double mean = step.x0_xt * x[i] - step.x0_eps * eps[i];
        double off = mean - reverse_x0_hat(&step, x[i], eps_hat[i]);
        double value = within[i] + off * off;
        cov[i] = (float)(source->options.clip ? variance_clipped(value) : value);
    }
    memory_free(x);
}

/* Of a head or of analytic's constants. */
static void learned(const EstimateSource *source, VarianceKind kind, int t, const float *eps_hat,
                    const float *head, float *cov)
{
    const bool averaged = variance_head(kind) && source->options.average;
    if (kind == VARIANCE_ANALYTIC_DIAG)
        head = source->ms_eps_diag + (size_t)t * source->dims;
    variance_cov_x0(kind, source->schedule, t, eps_hat, head,
                    kind == VARIANCE_ANALYTIC ? source->ms_eps[t] : 0,
                    source->options.clip && !averaged, source->dims, cov);
    if (averaged)
        average(cov, source->dims, source->options.clip);
}

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

void estimate_cov_x0(const EstimateSource *source, VarianceKind kind, int t, const float *x_t,
                     const float *eps_hat, const float *head, float *cov)
{
    if (kind == VARIANCE_BETA)
        fill(cov, source->dims, source->schedule->beta_bar[t]);
    else if (kind == VARIANCE_BETA_TILDE)
        fill(cov, source->dims, 0);
    else if (kind == VARIANCE_EXACT)
        exact(source, t, x_t, eps_hat, cov);
    else
        learned(source, kind, t, eps_hat, head, cov);
    if (has_floor(&source->options, kind))
        raise_to_floor(cov, source->dims, source->options.floor);
    if (has_scale(&source->options, kind))
        rescale(cov, source->dims, source->options.scale);
}
