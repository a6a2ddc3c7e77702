/* NPR, "noise prediction residual": the variance from the error of eps_hat (Bao et al. 2022b).
 *
 * The head's g estimates E[(eps - eps_hat)^2 | x_t], so u = g. g contains the error of the mean. So
 * with an imperfect eps_hat the estimate is E[(x_0 - x_0_hat)^2 | x_t], the optimal variance around
 * this mean.
 */
#include "variance/variance.h"

static void npr(const VarianceInput *input, float *cov)
{
    const double factor = variance_factor(input);
    for (size_t i = 0; i < input->dims; i++)
        cov[i] = (float)(factor * (double)input->head[i]);
}

const Variance variance_npr = {
    .name = "npr",
    .help = "from a head for E[(eps - eps_hat)^2 | x_t]",
    .source = "Bao et al. 2022b",
    .head = "npr",
    .cov = npr,
};
