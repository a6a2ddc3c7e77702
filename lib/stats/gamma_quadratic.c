/* The matrix of the pull is symmetric, and only its lower triangle is stored: each element is used
 * twice.
 */
#include "stats/gamma_quadratic.h"

#include <string.h>

void gamma_quadratic_add(const GammaState *s, const double *v, double *out)
{
    for (size_t i = 0; i < s->features; i++)
        out[i] += gamma_ridge(s, i) * v[i];
    const double *row = s->problem->matrix;
    for (size_t i = 0; s->problem->pull > 0 && i < s->features; row += ++i) {
        double below = row[i] * v[i];
        for (size_t j = 0; j < i; j++) {
            below += row[j] * v[j];
            out[j] += s->problem->pull * row[j] * v[i];
        }
        out[i] += s->problem->pull * below;
    }
}

double gamma_quadratic(GammaState *s, double *slope)
{
    const double *center = s->problem->center;
    double *pulled = s->search, value = 0;
    memset(slope, 0, s->features * sizeof *slope);
    for (size_t i = 0; i < s->features; i++) {
        const double ridge = gamma_ridge(s, i);
        pulled[i] = s->w[i] - (s->problem->pull > 0 ? center[i] : 0);
        value += ridge * s->w[i] * s->w[i] / 2;
    }
    gamma_quadratic_add(s, pulled, slope); /* the ridge draws to the center, which the loop mends */
    for (size_t i = 0; i < s->features; i++) {
        const double ridge = gamma_ridge(s, i);
        slope[i] -= ridge * pulled[i];
        value += slope[i] * pulled[i] / 2;
    }
    for (size_t i = 0; i < s->features; i++)
        slope[i] += gamma_ridge(s, i) * s->w[i];
    return value;
}
