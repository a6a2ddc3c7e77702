#include "diffusion/likelihood.h"

#include <assert.h>

double likelihood_prior(const Schedule *schedule, int t, const float *x_0, size_t count)
{
    const double mean2 = schedule->alpha_bar[t], variance = schedule->beta_bar[t];
    const double constant = variance - 1 - log(variance);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += constant + mean2 * x_0[i] * x_0[i];
    return sum / 2;
}

double likelihood_step(const ReverseStep *step, const float *x_0, const float *x_t,
                       const float *eps_hat, const float *cov_x0, size_t count)
{
    assert(step->s > 0 && step->mean_eps == 0);
    if (step->s == step->t)
        return 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double variance = reverse_variance(step, cov_x0 ? cov_x0[i] : 0);
        double ratio = step->lambda2 / variance;
        double off = step->mean_x0 * (x_0[i] - reverse_x0_hat(step, x_t[i], eps_hat[i]));
        sum += ratio - 1 - log(ratio) + off * off / variance;
    }
    return sum / 2;
}

/* P(X < z) for a standard normal X, nearly. */
static double cumulative(double z)
{
    return 0.5 * (1 + tanh(sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
}

double likelihood_decoder(const ReverseStep *step, double variance, const float *x_0,
                          const float *x_t, const float *eps_hat, size_t count)
{
    assert(step->s == 0);
    const double half_bin = 1.0 / 255, least = 1e-12, sigma = sqrt(variance);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double off = x_0[i] - reverse_mean(step, x_t[i], eps_hat[i]);
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
