/* The quadratic terms of a fit, the ridge and the pull; private to it. */
#pragma once

#include "stats/gamma_state.h"

/* Element (i, j) of Fisher's matrix is at [i (i + 1) / 2 + j] for j <= i. */
static inline double gamma_fisher_diagonal(const GammaState *s, size_t i)
{
    return s->problem->fisher[i * (i + 1) / 2 + i];
}

/* The ridge of feature i; the intercept, the last one, has none. */
static inline double gamma_ridge(const GammaState *s, size_t i)
{
    return i + 1 < s->features ? s->problem->ridge * gamma_fisher_diagonal(s, i) : 0;
}

/* out [P] += pull matrix v + ridge v */
void gamma_quadratic_add(const GammaState *s, const double *v, double *out);

/* slope [P] := the gradient of the quadratic terms at w; returns their value. Uses s->search. */
double gamma_quadratic(GammaState *s, double *slope);
