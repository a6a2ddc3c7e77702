/* The term of the bound for a step t -> t - 1 whose variance is learned (variance/learned.h), in
 * bits (Nichol and Dhariwal 2021, section 3.1). The output is v.
 *
 *     t > 1   KL between q(x_{t-1} | x_t, x_0) and the model's step
 *     t = 1   -log p of the picture's grey levels, by the model's step
 *
 * The mean of the model's step is made of x_0_hat without a clip, and eps_hat is a constant: the
 * gradient is the one by v alone. So it teaches the variance, and changes the mean only through the
 * layers that both outputs share.
 */
#include "variance/learned.h"
#include "variance/objective.h"

#include <assert.h>
#include <math.h>

/* A term in nats, and its derivative by log sigma^2. */
typedef struct Term {
    double value, slope;
} Term;

/* KL(N(m, tilde) || N(m + off, exp(log_variance))). */
static Term divergence(double log_tilde, double off, double log_variance)
{
    const double ratio = exp(log_tilde - log_variance);
    const double square = off * off * exp(-log_variance);
    return (Term){.value = 0.5 * (log_variance - log_tilde - 1 + ratio + square),
                  .slope = 0.5 * (1 - ratio - square)};
}

/* The cumulative normal distribution by its tanh approximation, and its derivative. */
static double cumulative(double z, double *slope)
{
    const double k = sqrt(2 / M_PI), c = 0.044715;
    const double value = tanh(k * (z + c * z * z * z));
    *slope = 0.5 * (1 - value * value) * k * (1 + 3 * c * z * z);
    return 0.5 * (1 + value);
}

/* -log P of the grey level x_0 under N(mean, exp(log_variance)), as likelihood_decoder has it. */
static Term decoder(double x_0, double mean, double log_variance)
{
    const double half = 1.0 / 255, end = 0.999, least = 1e-12;
    const double inverse = exp(-0.5 * log_variance);
    const double above = (x_0 - mean + half) * inverse, below = (x_0 - mean - half) * inverse;
    double above_slope = 0, below_slope = 0, high = 1, low = 0;
    if (x_0 <= end)
        high = cumulative(above, &above_slope);
    if (x_0 >= -end)
        low = cumulative(below, &below_slope);
    const double p = high - low;
    if (!(p > least))
        return (Term){.value = p <= least ? -log(least) : NAN, .slope = 0};
    /* d z / d log_variance = -z / 2 */
    return (Term){.value = -log(p), .slope = 0.5 * (above_slope * above - below_slope * below) / p};
}

/* x_0_hat - x_0 = sqrt(beta_bar / alpha_bar) (eps - eps_hat). */
static double vlb(const ObjectiveInput *in, const float *output, double *gradient)
{
    const Schedule *schedule = in->schedule;
    const int t = in->t, s = t - 1;
    const LearnedRange range = learned_range(schedule, s, t);
    const double scale = sqrt(schedule->beta_bar[t] / schedule->alpha_bar[t]);
    const double mean_x0 =
        sqrt(schedule->alpha_bar[s]) * schedule_skip_beta(schedule, s, t) / schedule->beta_bar[t];
    double sum = 0;
    assert(in->x_0 && in->eps_hat);
    for (size_t i = 0; i < in->dims; i++) {
        const double off = mean_x0 * scale * ((double)in->eps[i] - in->eps_hat[i]);
        const double log_variance = learned_log_variance(&range, (double)output[i]);
        const double x_0 = in->x_0[i];
        const Term term = s > 0 ? divergence(range.low, off, log_variance)
                                : decoder(x_0, x_0 + off, log_variance);
        sum += term.value / M_LN2;
        if (gradient)
            gradient[i] = term.slope * (range.high - range.low) / 2 / M_LN2;
    }
    return sum;
}

const Objective objective_vlb = {
    .name = "vlb",
    .help = "the bound with a learned variance, stage 1",
    .source = "Nichol & Dhariwal 2021",
    .loss = vlb,
};
