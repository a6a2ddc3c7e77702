/* nll: the likelihood itself. With V the variance of x_0 and y = (x_0 - x_0_hat)^2 + 1/k, the KL
 * of the step t -> s is, up to a constant,
 *
 *     1/2 [log(V + 1/k) + y / (V + 1/k)],    k = SNR_s - SNR_t,    SNR_t = alpha_bar_t / beta_bar_t
 *
 * Its minimum over V + 1/k is E[y | x_t], whatever s is. Of a bound with few steps nearly all
 * lies in the steps to s = 1. So the loss is that of such a step, with 1/SNR_1 for 1/k, and in
 * units of 1/SNR_t:
 *
 *     l + r exp(-l),    r = SNR_t ((x_0 - x_0_hat)^2 + 1/SNR_1)
 *
 * and exp(l) -> SNR_t (V + 1/SNR_1). The clipped residual is exactly 0 where data and x_0_hat
 * lie at the same end, and the term 1/SNR_1 keeps r above 0 there: the loss has a minimum.
 *
 * A head has a few hundred weights for each bin, and can't become every function of x_t. So it
 * matters which errors cost how much, and the steps to s = 1 are not all. With m = V + 1/SNR_1 =
 * exp(l) / SNR_t, the KL of the step t -> s has the derivative by l
 *
 *     1/2 (k m / (1 + k V))^2 (1 - r exp(-l))
 *
 * which is the derivative of the loss above times a weight. A small V costs nothing in a step
 * with a small k. A fit weights elements so, summed over the steps from t of the linear
 * trajectories with 10 to 100 steps (`steps` below), each as often as its trajectory visits t:
 * it minimises the mean of these bounds. (With trajectories of 300 and 1000 steps beside them,
 * the bounds at 25 to 100 steps lose twice what those at 300 and 1000 gain: docs/variances.md.)
 * V is the estimate that steps use, between its limits (nll.h). A small constant is added, so
 * that no element is without a weight. Otherwise variances that hardly matter would become any
 * number. */
#include "variance/objective.h"

#include "diffusion/likelihood.h"
#include "variance/nll.h"

static double ratio(const Schedule *schedule, int t, double residual)
{
    const double snr = schedule->alpha_bar[t] / schedule->beta_bar[t];
    const double least = schedule->beta_bar[1] / schedule->alpha_bar[1];
    return snr * (residual * residual + least);
}

/* The numbers of steps of the trajectories. */
static const int steps[] = {10, 25, 50, 100};

/* The constant part of a weight. */
static const double least_weight = 0.001;

static double weight(const Schedule *schedule, int t, double l)
{
    const double last = schedule->timesteps, v = nll_cov(schedule, t, l);
    const double m = v + schedule->beta_bar[1] / schedule->alpha_bar[1];
    double sum = least_weight;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        /* Timesteps from one of the trajectory to the next. */
        const double gap = fmax((last - 1) / (steps[i] - 1), 1);
        const int s = (int)fmax(rint(t - gap), 1);
        /* The trajectory ends at 1, and the timestep before it is about 1 + gap. */
        if (t < 1 + gap / 2 || s == t)
            continue;
        const double kappa = likelihood_kappa(schedule, s, t), q = kappa * m / (1 + kappa * v);
        sum += q * q / gap;
    }
    return sum;
}

const Objective objective_nll = {
    .name = "nll",
    .help = "the likelihood itself, for nll and nll_block",
    .source = "docs/variances.md",
    .seed_offset = 4,
    .ratio = ratio,
    .weight = weight,
};
