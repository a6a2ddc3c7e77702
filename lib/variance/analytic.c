/* The analytic variances of Bao et al. 2022a: u = 1 - E||eps_hat||^2 / d, and its form for each dimension,
 * u = 1 - E[eps_hat_i^2].
 *
 * With the best eps_hat the mean of Cov[x_0 | x_t] over x_t is (beta_bar_t / alpha_bar_t) u (and
 * Bao et al. 2022b for the diagonal). infer analytic measures the expectations; a checkpoint keeps them in /analytic.
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
    .step = REVERSE_ESTIMATED,
    .is_scalar = true,
    .cov = analytic,
};

const Variance variance_analytic_diag = {
    .name = "analytic_diag",
    .help = "from E[eps_hat_i^2] of each dimension",
    .source = "Bao et al. 2022a",
    .constants = "ms_eps_diag",
    .step = REVERSE_ESTIMATED,
    .cov = analytic_diag,
};
