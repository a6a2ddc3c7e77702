/* Lanczos' method: a symmetric matrix that is known by its products with vectors, in the space that
 * its powers make of one vector.
 *
 *     Lanczos l = {0};
 *     lanczos_make(&l, dims, max, error)
 *     lanczos_start(&l, z);
 *     while (lanczos_goes_on(&l))
 *         lanczos_add(&l, the product of the matrix and lanczos_vector(&l));
 *     lanczos_solve(&l);
 *     lanczos_apply(&l, values, y);       y := f(matrix) z, values[i] = f(l.nodes[i])
 *
 * Vectors are orthogonalised against all earlier ones, twice, so that rounding makes no copies of
 * eigenvalues. With as many steps as dimensions the result is exact. (Golub and Van Loan, Matrix
 * Computations, section 10.1.) Everything is in double.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Lanczos {
    /* Of the matrix, and the most steps. */
    size_t dims;
    int max;
    /* Steps taken. */
    int size;
    /* Whether the space is complete: the next vector would be 0. */
    bool complete;
    /* |z| */
    double norm;
    /* [max + 1, dims]: the orthonormal vectors; `size` of them have products. */
    double *vectors;
    /* [max] each: the tridiagonal matrix; next[j] stands beside diagonal[j] and diagonal[j + 1]. */
    double *diagonal, *next;
    /* After lanczos_solve, [size]: the eigenvalues of the tridiagonal matrix, ascending, and the
     * share of z's square that each has; shares add up to 1. */
    double *nodes, *shares;
    /* [size, size]: column i is the eigenvector of node i. */
    double *eigenvectors;
} Lanczos;

/* Allocates room for `max` steps, 1 or more. The caller frees, after a failure too. */
bool lanczos_make(Lanczos *l, size_t dims, int max, Error *error);
/* Fine on a zeroed struct. */
void lanczos_free(Lanczos *l);

/* Begins with z [dims]. A zero vector has no space: lanczos_goes_on is false at once. */
void lanczos_start(Lanczos *l, const double *z);
bool lanczos_goes_on(const Lanczos *l);
/* [dims]: the vector whose product comes next. Of length 1. */
const double *lanczos_vector(const Lanczos *l);
/* Takes the product [dims], which it overwrites. */
void lanczos_add(Lanczos *l, double *product);

/* Fills in nodes, shares and eigenvectors. */
void lanczos_solve(Lanczos *l);

/* y [dims] := f(matrix) z, where values[i] is f of node i. */
void lanczos_apply(const Lanczos *l, const double *values, double *y);
