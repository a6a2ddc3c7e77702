/* The search along a direction of a fit; private to it. */
#pragma once

#include "stats/gamma_sums.h"

/* The step to the minimum along s->direction, nearly; 0 if no step lowers the objective.
 * `quadratic_slope` [P] is the gradient of the quadratic terms. */
double gamma_search_along(GammaState *s, const double *quadratic_slope);
