/* Small symmetric matrices, LANES of them at a time.
 *
 * The matrices of a group have the same size n. Element [i][j] of all matrices of a group lies
 * side by side, so each operation of an algorithm runs on all of them with one vector instruction.
 * A matrix is its lower triangle, row by row:
 *
 *     matrix [n (n + 1) / 2][LANES]    element (i, j), i >= j, at i (i + 1) / 2 + j
 *     vector [n][LANES]
 *
 * The result for a matrix depends on this matrix alone, not on its lane or on its neighbours. All
 * numbers are doubles. Matrices of 4 to 48 rows are the purpose; LAPACK is faster for large ones.
 */
#pragma once

#include <stddef.h>

enum { SYMMETRIC_LANES = 8 };

/* The offset of element (i, j), i >= j, in units of LANES doubles; and the number of elements. */
static inline size_t symmetric_at(size_t i, size_t j)
{
    return i * (i + 1) / 2 + j;
}
static inline size_t symmetric_elements(size_t n)
{
    return symmetric_at(n, 0);
}

/* Eigenvalues, and the coefficients of a vector in the basis of the eigenvectors. The eigenvectors
 * themselves are never formed. With A = Q diag(value) Q':
 *   matrix [n (n + 1) / 2][LANES]  A; overwritten
 *   vector [n][LANES]              x; becomes Q' x, in the order of the eigenvalues
 *   value [n][LANES]               := the eigenvalues, in no particular order
 *   scratch [n][LANES]
 * Eigenvalues that coincide leave Q open; sums over such a group of coefficients' squares are
 * unique. A NaN in a lane leaves NaNs in the results of this lane. */
void symmetric_rotate(double *matrix, double *vector, int n, double *value, double *scratch);

/* matrix := Cholesky's factor L of a positive definite matrix, A = L L'. A pivot at or below 0 makes
 * its column 0, as a row of zeros has it. Of other singular matrices L may be anything: rounding also
 * leaves pivots just above 0. */
void symmetric_factorise(double *matrix, int n);

/* vector := L x, for the result L of symmetric_factorise(). */
void symmetric_multiply_factor(const double *matrix, double *vector, int n);
