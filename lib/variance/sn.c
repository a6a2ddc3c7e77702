/* SN, "square of noise": the variance from the squared noise (Bao et al. 2022b).
 *
 * The head's h estimates E[eps^2 | x_t], and Cov[eps | x_t] = E[eps^2 | x_t] - E[eps | x_t]^2, so
 * u = h - eps_hat^2. The subtraction is in double. The result is negative if h < eps_hat^2.
 */
#include "variance/variance.h"

static void sn(const VarianceInput *input, float *cov)
{
    const double factor = variance_factor(input);
    for (size_t i = 0; i < input->dims; i++) {
        const double h = input->head[i], eps_hat = input->eps_hat[i];
        const double u = h - eps_hat * eps_hat;
        cov[i] = (float)(factor * u);
    }
}

const Variance variance_sn = {
    .name = "sn",
    .help = "from a head for E[eps^2 | x_t]",
    .source = "Bao et al. 2022b",
    .head = "sn",
    .cov = sn,
};
