/* The Frechet distance of two sets of points. Each set is treated as a Gaussian (Dowson & Landau
 * 1982; in the features of a network: Heusel et al. 2017):
 *
 *     |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
 *
 * As usual under this name, the value is the square of a distance. A and B are the unbiased
 * covariances. A^(1/2) B A^(1/2) is symmetric and has the same eigenvalues as A B, and the trace is
 * the sum of the roots of these eigenvalues. This takes two symmetric eigenvalue problems (LAPACK's
 * dsyevd) and no root of a general matrix.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

/* Means and covariances, one for each column of weights. */
typedef struct Gaussians {
    int dims, columns;
    /* [columns, dims] */
    double *mean;
    /* [columns, dims, dims]: sums of squares divided by the number of points minus 1. */
    double *covariance;
} Gaussians;

/* Fits a Gaussian to each column of `points`; each column needs at least two points. A run-time
 * error if memory runs out; call gaussians_free in either case. */
bool gaussians_fit(Gaussians *gaussians, const Points *points, Error *error);
void gaussians_free(Gaussians *gaussians); /* fine on a zeroed struct */

/* distance [columns]: entry c is the distance of column c of a and column c of b. A run-time error
 * if memory runs out, or if moments are not finite. */
bool frechet_distance(const Gaussians *a, const Gaussians *b, double *distance, Error *error);
