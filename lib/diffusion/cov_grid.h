/* The cost of a step t -> s, summed over many elements, for every s at once.
 *
 * The cost of a step (likelihood.h) depends on an element through c, the estimate of
 * Cov[x_0 | x_t], and through r^2. It depends on s through kappa alone:
 *
 *     sum of KL = 1/2 sum  f(kappa c) + r^2 kappa / (1 + kappa c)
 *     f(y) = log(1 + y) - y / (1 + y)
 *
 * As functions of log c, f(kappa c) and 1 / (1 + kappa c) are smooth, and another kappa only shifts
 * them. So a grid in log c replaces the elements. Each element is spread over the eight nodes
 * around it, with the weights of Lagrange's interpolation: once as a count, and once as r^2. A step
 * then costs one evaluation per node, however many elements there are.
 *
 * The relative error is below 1e-9 for estimates of the size of r^2 (measured: 1e-10), and below
 * 2e-8 for larger ones. Where an estimate is far below r^2 in a step that hardly depends on it
 * (kappa c below 1e-9), f is so small that only its absolute error counts.
 */
#pragma once

#include <stddef.h>

typedef struct CovGrid {
    /* log c of node 0. */
    double least;
    int nodes;
    /* [nodes]: the estimates c at the nodes. The grid owns them. */
    double *cov;
} CovGrid;

/* Makes a grid for estimates in [0, most_cov] and for steps with kappa <= most_kappa. Both limits
 * are above 0. The caller frees the grid with cov_grid_free. */
void cov_grid_make(CovGrid *grid, double most_cov, double most_kappa);
void cov_grid_free(CovGrid *grid);

/* The number of doubles in the sums of a grid. Sums begin as zeros. Sums of the same grid may be
 * added to one another. */
size_t cov_grid_sums(const CovGrid *grid);

/* sums += the elements with estimates cov [count] in [0, most_cov] and off2 [count] = r^2. A NaN
 * among the estimates makes the cost of every step NaN. */
void cov_grid_add(const CovGrid *grid, const float *cov, const double *off2, size_t count,
                  double *sums);

/* sums += `count` elements with the same estimate; sum_off2 is the sum of their r^2. */
void cov_grid_add_scalar(const CovGrid *grid, double cov, double count, double sum_off2,
                         double *sums);

/* kl [n] := the cost of the step with this kappa, in nats, for each of n sums. sums
 * [n, cov_grid_sums(grid)]. */
void cov_grid_step(const CovGrid *grid, double kappa, const double *sums, int n, double *kl);
