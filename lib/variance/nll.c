/* NLL: the variance from a head that was fitted to the likelihood itself (objective_nll.c).
 *
 * The head's exp(l) estimates SNR_t (V + 1/SNR_1), so V = exp(l) / SNR_t - 1/SNR_1. Where this is
 * below a tenth of 1/SNR_1, V is that tenth: the head does not tell smaller variances apart, since
 * no step does. So the estimate is positive everywhere.
 */
#include "variance/variance.h"

#include <math.h>

static void nll(const VarianceInput *input, float *cov)
{
    const double factor = variance_factor(input);
    const double unit = input->schedule->beta_bar[1] / input->schedule->alpha_bar[1];
    for (size_t i = 0; i < input->dims; i++) {
        const double v = factor * exp((double)input->head[i]) - unit;
        cov[i] = (float)(v < 0.1 * unit ? 0.1 * unit : v); /* a NaN stays */
    }
}

const Variance variance_nll = {
    .name = "nll",
    .help = "from a head fitted to the likelihood",
    .source = "docs/variances.md",
    .head = "nll",
    .is_positive = true,
    .cov = nll,
};
