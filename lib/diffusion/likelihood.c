/* The three terms of the bound, as likelihood.h writes them, in double.
 *
 * A bound calls likelihood_mean() for every image and timestep, and likelihood_step() for many
 * steps of each. So their loops are vectorised for several kinds of processor (base/dispatch.h),
 * and a step takes one logarithm for FACTORS elements instead of one for each element.
 */
#include "diffusion/likelihood.h"

#include "base/dispatch.h"

#include <assert.h>
#include <math.h>

/* The number of factors 1 + kappa c in one product. It overflows where they are above 10^19, which a
 * beta_1 below 10^-18 gives. */
enum { FACTORS = 16 };

double likelihood_prior(const Schedule *schedule, int t, const float *x_0, size_t count)
{
    const double mean2 = schedule->alpha_bar[t], variance = schedule->beta_bar[t];
    const double constant = variance - 1 - log(variance);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += constant + mean2 * x_0[i] * x_0[i];
    return sum / 2;
}

/* -- Steps ------------------------------------------------------------------------------------ */

/* likelihood_mean() with x_0_hat = signal x_t - noise eps_hat, clipped to [-bound, bound]. */
VECTORISED static double squares_off(double signal, double noise, double bound,
                                     const float *restrict x_0, const float *restrict x_t,
                                     const float *restrict eps_hat, size_t count,
                                     double *restrict x_0_hat, double *restrict off2)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) {
        double x = signal * (double)x_t[i] - noise * (double)eps_hat[i];
        x = x < -bound ? -bound : x > bound ? bound : x; /* a NaN stays */
        double off = (double)x_0[i] - x;
        x_0_hat[i] = x;
        off2[i] = off * off;
        sum += off * off;
    }
    return sum;
}

double likelihood_mean(const Schedule *schedule, int t, bool clip, const float *x_0,
                       const float *x_t, const float *eps_hat, size_t count, double *x_0_hat,
                       double *off2)
{
    return squares_off(1 / sqrt(schedule->alpha_bar[t]),
                       sqrt(schedule->beta_bar[t] / schedule->alpha_bar[t]), clip ? 1 : INFINITY,
                       x_0, x_t, eps_hat, count, x_0_hat, off2);
}

double likelihood_kappa(const Schedule *schedule, int s, int t)
{
    assert(1 <= s && s <= t);
    return schedule->alpha_bar[s] * schedule_skip_beta(schedule, s, t) /
           (schedule->beta_bar[s] * schedule->beta_bar[t]);
}

INLINED double sum_of_logs(double kappa, const float *cov, double most, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += log1p(kappa * (cov[i] > most ? most : (double)cov[i]));
    return sum;
}

/* KL as likelihood.h writes it. The logarithm of a product replaces the logarithms of FACTORS
 * factors 1 + kappa c. `impossible` counts the factors that are not positive; a single one makes
 * the result NaN. */
VECTORISED static double sum_of_steps(double kappa, const double *restrict off2,
                                      const float *restrict cov, double most, size_t count)
{
    double sum = 0, logs = 0, impossible = 0;
    for (size_t first = 0; first < count; first += FACTORS) {
        const size_t end = count - first < FACTORS ? count : first + FACTORS;
        double product = 1;
#pragma omp simd reduction(+ : sum, impossible) reduction(* : product)
        for (size_t i = first; i < end; i++) {
            double c = cov[i] > most ? most : (double)cov[i];
            double factor = 1 + kappa * c;
            product *= factor;
            sum += kappa * (off2[i] - c) / factor;
            impossible += factor > 0 ? 0.0 : 1.0;
        }
        logs +=
            product < INFINITY ? log(product) : sum_of_logs(kappa, cov + first, most, end - first);
    }
    return impossible == 0 ? 0.5 * (logs + sum) : NAN;
}

double likelihood_step(double kappa, const double *off2, const float *cov, double most,
                       size_t count)
{
    return sum_of_steps(kappa, off2, cov, most, count);
}

double likelihood_step_scalar(double kappa, double sum_off2, double cov, size_t count)
{
    const double factor = 1 + kappa * cov, n = (double)count;
    return factor > 0 ? 0.5 * (n * log1p(kappa * cov) + kappa * (sum_off2 - n * cov) / factor)
                      : NAN;
}

/* KL = 1/2 sum  log(v / lambda^2) + (lambda^2 + gain r^2) / v - 1, because the distance between the
 * means is sqrt(gain) r. */
double likelihood_step_of_variance(const ReverseStep *step, const double *off2,
                                   const double *variance, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double v = variance[i] > step->max_variance ? step->max_variance : variance[i];
        if (!(v > 0))
            return NAN;
        sum += log(v / step->lambda2) + (step->lambda2 + step->gain * off2[i]) / v - 1;
    }
    return 0.5 * sum;
}

double likelihood_most_cov(const Schedule *schedule, int s, int t, double max_variance)
{
    return (max_variance / schedule_beta_tilde(schedule, s, t) - 1) /
           likelihood_kappa(schedule, s, t);
}

/* -- The decoder ------------------------------------------------------------------------------ */

/* P(X < z) for a standard normal X, by the tanh approximation of the published code. */
static double cumulative(double z)
{
    return 0.5 * (1 + tanh(sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
}

double likelihood_decoder(double variance, const float *x_0, const double *x_0_hat, size_t count)
{
    const double half_bin = 1.0 / 255, least = 1e-12, sigma = sqrt(variance);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double off = x_0[i] - x_0_hat[i];
        double above = x_0[i] > 0.999f ? 1 : cumulative((off + half_bin) / sigma);
        double below = x_0[i] < -0.999f ? 0 : cumulative((off - half_bin) / sigma);
        double probability = above - below;
        sum -= log(probability < least ? least : probability);
    }
    return sum;
}

double likelihood_decoder_variance(const Schedule *schedule)
{
    return schedule_beta_tilde(schedule, 1, 2);
}

double likelihood_free_decoder_variance(const Schedule *schedule, int t_1)
{
    return t_1 == 1 ? likelihood_decoder_variance(schedule) : schedule->beta_bar[t_1];
}
