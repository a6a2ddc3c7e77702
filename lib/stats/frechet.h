/* The Frechet distance between two sets of points, each taken for a Gaussian (Dowson & Landau 1982; in
 * the features of a network: Heusel et al. 2017):
 *
 *     |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
 *
 * It is the square of a distance, as is usual with this name. A and B are the unbiased covariances. The
 * trace of the root is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric and
 * has those of A B: so two symmetric eigenvalue problems (LAPACK's dsyevd) and no root of a general matrix.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

/* The moments of every column of weights. */
typedef struct Gaussians {
    int dims, columns;
    double *mean;       /* [columns, dims] */
    double *covariance; /* [columns, dims, dims], divided by the number of points less one */
} Gaussians;

/* From at least two points. A run-time error for want of memory. */
bool gaussians_fit(Gaussians *gaussians, const Points *points, Error *error);
void gaussians_free(Gaussians *gaussians); /* fine on a zeroed struct */

/* distance [columns] := that of column c of a to column c of b. A run-time error for want of memory, or
 * where moments are not finite. */
bool frechet_distance(const Gaussians *a, const Gaussians *b, double *distance, Error *error);
