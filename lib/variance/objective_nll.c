/* nll: the likelihood itself. With V the variance of x_0 and y = (x_0 - x_0_hat)^2 + 1/k, the KL of
 * the step t -> s is, up to a constant,
 *
 *     1/2 [log(V + 1/k) + y / (V + 1/k)],    k = SNR_s - SNR_t,    SNR_t = alpha_bar_t / beta_bar_t
 *
 * Its minimum over V + 1/k is E[y | x_t], whatever s is. Of a bound with few steps nearly all lies
 * in the steps to s = 1. So the loss is that of such a step, with 1/SNR_1 for 1/k, and in units of
 * 1/SNR_t:
 *
 *     l + r exp(-l),    r = SNR_t ((x_0 - x_0_hat)^2 + 1/SNR_1)
 *
 * and exp(l) -> SNR_t (V + 1/SNR_1). The clipped residual is exactly 0 where data and x_0_hat lie at
 * the same end, and the term 1/SNR_1 keeps r above 0 there: the loss has a minimum. */
#include "variance/objective.h"

static double ratio(const Schedule *schedule, int t, double residual)
{
    const double snr = schedule->alpha_bar[t] / schedule->beta_bar[t];
    const double least = schedule->beta_bar[1] / schedule->alpha_bar[1];
    return snr * (residual * residual + least);
}

const Objective objective_nll = {
    .name = "nll",
    .help = "the likelihood itself: likelihoods at few steps",
    .source = "docs/variances.md",
    .seed_offset = 4,
    .ratio = ratio,
};
