/* Fisher's matrix with the quadratic terms, as a system to solve: it scales the steps of a fit;
 * private to it.
 */
#pragma once

#include "stats/gamma_state.h"

/* s->factor := that of the matrix. It fails if the features are not finite. */
bool gamma_fisher_factorise(const GammaState *s, Error *error);

/* out [P] := the solution of the system for the right side v [P], which may be `out`. */
void gamma_fisher_solve(const GammaState *s, const double *v, double *out);
