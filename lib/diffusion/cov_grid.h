/* What many elements' steps t -> s cost, for every s at once.
 *
 * A step's cost (likelihood.h) reads an element through its c, the estimated Cov[x_0 | x_t], and its r^2:
 *
 *     sum of KL = 1/2 sum  f(kappa c) + r^2 kappa / (1 + kappa c),     f(y) = log(1 + y) - y / (1 + y)
 *
 * and s through kappa alone. Both functions are smooth in log c, and another kappa only shifts them. So
 * elements are spread over a grid in log c, each over the eight nodes around it with the weights of
 * Lagrange's interpolation, once as a count and once as r^2; after that a step costs as many evaluations
 * as there are nodes, however many elements there are. The relative error is below 1e-9 (1e-10 is seen) for
 * estimates that are of the size of r^2, and below 2e-8 for any.
 */
#pragma once

#include <stddef.h>

typedef struct CovGrid {
    double least; /* log c of node 0 */
    int nodes;
    double *cov; /* [nodes] */
} CovGrid;

/* A grid for estimates in [0, most_cov] and steps with kappa of at most `most_kappa`; both above 0. */
void cov_grid_make(CovGrid *grid, double most_cov, double most_kappa);
void cov_grid_free(CovGrid *grid);

/* How many doubles the sums of a grid are; they begin as zeros, and may be added up. */
size_t cov_grid_sums(const CovGrid *grid);

/* sums += the elements with estimates cov [count] in [0, most_cov] and off2 [count]. An estimate that is
 * NaN makes the cost of every step NaN. */
void cov_grid_add(const CovGrid *grid, const float *cov, const double *off2, size_t count,
                  double *sums);

/* sums += `count` elements with one estimate, of whose r^2 the sum is given. */
void cov_grid_add_scalar(const CovGrid *grid, double cov, double count, double sum_off2,
                         double *sums);

/* kl [n] := the cost of the step with that kappa, in nats, for n sums one after the other. */
void cov_grid_step(const CovGrid *grid, double kappa, const double *sums, int n, double *kl);
