/* The estimate of the variance nll, from what its head says.
 *
 * exp(l) estimates SNR_t (V + 1/SNR_1), SNR_t = alpha_bar_t / beta_bar_t, where V is the variance of
 * x_0 given x_t about x_0_hat (objective_nll.c). So V = exp(l) / SNR_t - 1/SNR_1, between two limits:
 *
 *     1/SNR_t        the mean squared error of x_t / sqrt(alpha_bar_t), and the best estimate of x_0
 *                    has no larger one. For a single x_t the variance may be larger.
 *     0.1 / SNR_1    no step tells smaller variances apart. So V is positive everywhere.
 */
#pragma once

#include "diffusion/schedule.h"

#include <math.h>

/* V for the output l of the head at timestep t, 1 <= t <= N. In double; a NaN stays. */
static inline double nll_cov(const Schedule *schedule, int t, double l)
{
    const double most = schedule->beta_bar[t] / schedule->alpha_bar[t];
    const double unit = schedule->beta_bar[1] / schedule->alpha_bar[1];
    const double v = most * exp(l) - unit;
    return v < 0.1 * unit ? 0.1 * unit : v > most ? most : v;
}
