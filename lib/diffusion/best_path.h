/* The best K of N timesteps for a likelihood, by dynamic programming (Watson et al. 2021).
 *
 * The bound is a sum over the steps of a trajectory, and what the step t -> s costs does not depend on the
 * other steps. So with the cost of every step in a table, the best trajectory of K steps to t is the best
 * one of K - 1 steps to some s < t and the step from t to it.
 */
#pragma once

#include "base/error.h"

/* timesteps [steps + 1] := 0 = t_0 < t_1 < ... < t_steps = total, the path with the smallest sum of
 * table[t_{k-1}][t_k]; of equal ones that whose step is the lowest, at each step from the top. Only
 * table [total + 1, total + 1] above its diagonal is read; infinite costs are avoided if they can be.
 * 1 <= steps <= total. Fails for want of memory. */
bool best_path(const double *table, int total, int steps, int *timesteps, Error *error);
