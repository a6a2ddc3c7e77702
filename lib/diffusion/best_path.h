/* The best K of N timesteps for a likelihood, by dynamic programming (Watson et al. 2021).
 *
 * The bound is a sum over the steps of a trajectory. The cost of a step t -> s does not depend on
 * the other steps. So a table of the costs of all steps is enough to find the best trajectory: the
 * best trajectory of K steps to t consists of the best trajectory of K - 1 steps to some s < t, and
 * of the step between s and t.
 */
#pragma once

#include "base/error.h"

/* timesteps [steps + 1] := 0 = t_0 < t_1 < ... < t_steps = total, the path with the smallest sum of
 * table[t_{k-1}][t_k], 1 <= steps <= total. Ties: going down from t = total, the smaller s wins.
 * Only the part of table [total + 1, total + 1] above its diagonal is read. A cost may be INFINITY;
 * the path avoids such steps if it can. Fails for want of memory. */
bool best_path(const double *table, int total, int steps, int *timesteps, Error *error);
