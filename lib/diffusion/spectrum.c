/* Sums over the entries of a spectrum (spectrum.h). */
#include "diffusion/spectrum.h"

#include <math.h>

/* The sum of one group, in nats. */
static double group_sum(const Spectrum *s, int group, double kappa, double most)
{
    double sum = 0;
    for (int i = 0; i < s->size; i++) {
        const size_t at = (size_t)group * (size_t)s->size + (size_t)i;
        const double c = s->value[at] > most ? most : s->value[at], factor = 1 + kappa * c;
        sum += s->weight[at] * (log1p(kappa * c) - kappa * c / factor) +
               kappa * s->square[at] / factor;
    }
    return 0.5 * sum;
}

/* Each random vector gives an estimate of the trace, and they are added as their mean: a group has
 * one of `probes` equal parts. The variance of the mean is the variance of the estimates over `probes`. */
double spectrum_step(const Spectrum *s, double kappa, double most, double *error2)
{
    const int probes = s->groups - 1;
    const double of_r = group_sum(s, 0, kappa, most);
    double sum = 0, squares = 0;
    for (int group = 1; group < s->groups; group++)
        sum += group_sum(s, group, kappa, most);
    for (int group = 1; group < s->groups; group++) {
        const double off = probes * group_sum(s, group, kappa, most) - sum;
        squares += off * off;
    }
    *error2 = probes == 0 ? 0 : probes == 1 ? NAN : squares / (probes - 1) / probes;
    return of_r + sum;
}

/* c begins at the mean, where it is right if all values are above it, and rises: what the values
 * below it leave is shared by those above. */
double spectrum_most(const double *value, const double *weight, size_t count, double mean)
{
    double sum = 0, weights = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weight[i] * value[i];
        weights += weight[i];
    }
    if (!(sum > mean * weights))
        return INFINITY;
    double most = mean, before;
    do {
        double below = 0, above = 0;
        for (size_t i = 0; i < count; i++)
            if (value[i] <= most)
                below += weight[i] * value[i];
            else
                above += weight[i];
        before = most;
        most = above > 0 ? (mean * weights - below) / above : before;
    } while (most > before);
    return most;
}
