/* The two variances of Ho et al. 2020. They depend on the schedule alone.
 *
 * Each is optimal for one distribution of x_0: beta_{t|s} for N(0, I), and beta_tilde_{s|t} for a
 * single point. So each is also an estimate of Cov[x_0 | x_t]: beta_bar_t for beta, and 0 for
 * beta_tilde. (Substituting the coefficients of diffusion/reverse.h shows that
 * lambda^2 + gain beta_bar_t = beta_{t|s} for every s.) The bound uses these estimates, and so
 * treats all variances alike. A step uses the exact beta_{t|s} or lambda^2 instead.
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
