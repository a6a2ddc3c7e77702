/* The sums over rows that a fit needs; private to it. */
#pragma once

#include "stats/gamma_state.h"

/* s->weight := the weights of the Hessian, r exp(-l) times the row's own; s->gradient := the mean
 * of the slope times phi. */
void gamma_sums_gradient(GammaState *s);

/* s->part := the product of the rows with v [P]; out [P] := the mean of weight phi phi' v. */
void gamma_sums_product(GammaState *s, const double *v, double *out);

/* The mean over rows of the loss at l + a change, and its two derivatives by a. */
typedef struct GammaAlong {
    double value, slope, curvature;
} GammaAlong;

GammaAlong gamma_sums_along(const GammaState *s, double a);
