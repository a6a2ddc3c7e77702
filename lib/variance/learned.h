/* The range of a learned variance (Nichol and Dhariwal 2021, equation 15). A second output v of the
 * network says where the variance of a step t -> s lies between both fixed ones:
 *
 *     log sigma^2 = f log beta_{t|s} + (1 - f) log beta_tilde_{s|t},    f = (v + 1) / 2
 *
 * They trained with s = t - 1. For other s, as in Extended-Analytic-DPM, f is the same and the ends
 * are the ends of that step. At s = 0 beta_tilde is 0, and beta_tilde_{1|2} takes its place. f is
 * not bounded to 0 .. 1.
 */
#pragma once

#include "diffusion/schedule.h"

/* The logarithms of both ends for a step t -> s, 0 <= s < t. */
typedef struct LearnedRange {
    double low, high;
} LearnedRange;

LearnedRange learned_range(const Schedule *schedule, int s, int t);

/* log sigma^2 for the output v of one element. */
static inline double learned_log_variance(const LearnedRange *range, double v)
{
    return range->low + (v + 1) / 2 * (range->high - range->low);
}
