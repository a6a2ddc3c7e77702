/* The two variances of Ho et al. 2020, which the schedule alone gives.
 *
 * Both are the best one for a certain distribution of x_0: beta_{t|s} for N(0, I), and beta_tilde_{s|t} for a single
 * point. So both are estimates of Cov[x_0 | x_t] as well: beta_{t|s} = lambda^2 + gain beta_bar_t for every s, as one
 * finds by putting in the coefficients. This lets the bound treat them as it treats all others. A step takes the
 * exact beta_{t|s} or lambda^2 instead.
 */
#include "variance/variance.h"

static void fill(float *cov, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        cov[i] = (float)value;
}

static void beta(const VarianceInput *input, float *cov)
{
    fill(cov, input->dims, input->schedule->beta_bar[input->t]);
}

static void beta_tilde(const VarianceInput *input, float *cov)
{
    fill(cov, input->dims, 0);
}

const Variance variance_beta = {
    .name = "beta",
    .help = "beta_{t|s}; DDPM only",
    .source = "Ho et al. 2020",
    .step = REVERSE_BETA,
    .is_scalar = true,
    .cov = beta,
};

const Variance variance_beta_tilde = {
    .name = "beta_tilde",
    .help = "that of q(x_s | x_t, x_0)",
    .source = "Ho et al. 2020",
    .step = REVERSE_BETA_TILDE,
    .is_scalar = true,
    .cov = beta_tilde,
};
