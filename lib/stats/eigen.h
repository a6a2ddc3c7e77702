/* Eigenvalues and eigenvectors of one large symmetric matrix, and singular values of one matrix, by
 * LAPACK. (Many small symmetric ones: stats/symmetric.h.) */
#pragma once

#include <stdbool.h>

/* values [dims] := the eigenvalues of the symmetric matrix [dims, dims], ascending. If `vectors`,
 * the rows of the matrix become its eigenvectors, of length 1. The matrix is overwritten in either
 * case. False if it has numbers that are not finite, or if LAPACK does not converge. */
bool eigen_symmetric(double *matrix, int dims, double *values, bool vectors);

/* The sum of the singular values of a matrix [rows, columns], which is overwritten; 0 if it is empty.
 * NAN if it has numbers that are not finite, or if LAPACK does not converge. */
double singular_value_sum(double *matrix, int rows, int columns);
