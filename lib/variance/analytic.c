/* The analytic variances of Bao et al. 2022a. analytic has one number per timestep,
 * u = 1 - E||eps_hat||^2 / d. analytic_diag has one per dimension, u = 1 - E[eps_hat_i^2].
 *
 * If eps_hat is optimal, then (beta_bar_t / alpha_bar_t) u is the mean of Cov[x_0 | x_t] over x_t.
 * (Bao et al. 2022b show it for the diagonal.) infer analytic measures the expectations, and a
 * checkpoint keeps them in /analytic.
 */
#include "variance/variance.h"

static void analytic(const VarianceInput *input, float *cov)
{
    const double u = 1 - input->ms_eps[input->t];
    const float value = (float)(variance_factor(input) * u);
    for (size_t i = 0; i < input->dims; i++)
        cov[i] = value;
}

static void analytic_diag(const VarianceInput *input, float *cov)
{
    const double factor = variance_factor(input);
    const float *ms_eps = input->ms_eps_diag + (size_t)input->t * input->dims;
    for (size_t i = 0; i < input->dims; i++) {
        const double u = 1 - (double)ms_eps[i];
        cov[i] = (float)(factor * u);
    }
}

const Variance variance_analytic = {
    .name = "analytic",
    .help = "from E||eps_hat||^2/d of each timestep",
    .source = "Bao et al. 2022a",
    .constants = "ms_eps",
    .is_scalar = true,
    .cov = analytic,
};

const Variance variance_analytic_diag = {
    .name = "analytic_diag",
    .help = "from E[eps_hat_i^2] of each dimension",
    .source = "Bao et al. 2022a",
    .constants = "ms_eps_diag",
    .cov = analytic_diag,
};
