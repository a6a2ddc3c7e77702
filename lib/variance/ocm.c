/* OCM, "optimal covariance matching": the variance from the diagonal of the network's Jacobian (Ou et
 * al. 2024).
 *
 * By Tweedie's second formula Cov[x_0 | x_t] = (beta_bar_t / alpha_bar_t) (I - sqrt(beta_bar_t) J),
 * J = d eps_hat / d x_t. The head estimates -sqrt(beta_bar_t) diag J, so u = 1 + head.
 */
#include "variance/variance.h"

static void ocm(const VarianceInput *input, float *cov)
{
    const double factor = variance_factor(input);
    for (size_t i = 0; i < input->dims; i++)
        cov[i] = (float)(factor * (1 + (double)input->head[i]));
}

const Variance variance_ocm = {
    .name = "ocm",
    .help = "from a head for the Jacobian's diagonal",
    .source = "Ou et al. 2024",
    .head = "ocm",
    .cov = ocm,
};
