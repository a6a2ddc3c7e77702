/* Gamma regression with a logarithmic link: the likelihood of squares whose size depends on
 * features.
 *
 * A row is a vector phi of P features, the last of them 1, and a number r >= 0. The model says that
 * r has the mean exp(l), l = w' phi. The loss is the mean over rows of
 *
 *     l + r exp(-l)
 *
 * which is twice the negative log likelihood of a normal number with the square r and the variance
 * exp(l), without its constant (McCullagh and Nelder 1989, chapter 8: the gamma family has the same
 * loss). It is convex in w. Its Hessian is the mean of r exp(-l) phi phi'. The expected Hessian, of
 * which r exp(-l) has the mean 1, is the mean of phi phi', Fisher's matrix: the matrix of least
 * squares, whatever r is.
 *
 * The fit begins with Fisher scoring, which goes safely where r spans decades, and ends with
 * Newton's method, which then converges fast. Newton's system is solved by conjugate gradients,
 * which need products of the Hessian with vectors only, and which Fisher's matrix preconditions.
 * Every step goes to the minimum along its direction, so that the loss never rises.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Rows, known by two linear maps. They come in chunks, so that a chunk stays in the caches. Several
 * threads call the functions at once, each for another chunk. */
typedef struct GammaRows {
    const void *context;
    /* P. */
    int features;
    int chunks;
    /* The number of rows before a chunk; of chunk `chunks`: the number of all rows. */
    size_t (*first)(const void *context, int chunk);
    /* l [rows of the chunk] := w' phi, w [P]. */
    void (*apply)(const void *context, int chunk, const double *w, double *l);
    /* sum [P] += the sum over the chunk's rows of slope phi, slope [rows of the chunk]. */
    void (*add)(const void *context, int chunk, const double *slope, double *sum);
} GammaRows;

/* Rows that lie in memory as a matrix. */
typedef struct GammaMatrix {
    size_t rows;
    int features;
    /* [rows, features] */
    const double *phi;
} GammaMatrix;

/* The matrix as rows; it is borrowed. */
GammaRows gamma_matrix_rows(const GammaMatrix *matrix);

/* fisher [P (P + 1) / 2] := the mean of phi phi', its lower triangle row by row. */
void gamma_matrix_fisher(const GammaMatrix *matrix, double *fisher);

/* A fit. All arrays are borrowed. */
typedef struct GammaProblem {
    const GammaRows *rows;
    /* [rows] */
    const double *r;
    /* [rows]: the weights of the rows' losses, 0 or more, about 1; the mean is over the number of
     * rows all the same. NULL: all are 1. */
    const double *weight;
    /* [P (P + 1) / 2]: the mean of phi phi', its lower triangle row by row. It may be of more rows
     * than the problem's. */
    const double *fisher;
    /* The loss gets 1/2 sum ridge fisher_jj w_j^2, without the intercept's term. */
    double ridge;
    /* The loss gets pull/2 (w - center)' matrix (w - center): the loss of other rows near their
     * minimum `center` [P], with the weight `pull`, where `matrix` is Fisher's of those rows, stored
     * as `fisher` is. 0: no such term; the two arrays are not read. */
    double pull;
    const double *center, *matrix;
    /* The fit ends when the loss is this near to its least value, as Newton's method estimates it;
     * 1e-9, say. */
    double tolerance;
} GammaProblem;

typedef struct GammaFit {
    /* The mean of l + r exp(-l), and with the terms of the ridge and the pull. */
    double loss, objective;
    /* Steps, products of the Hessian with a vector, and whether the tolerance was reached. (Without
     * a ridge the loss need not have a minimum, if some r are 0.) */
    int steps, products;
    bool converged;
} GammaFit;

/* w [P] := the minimum. w at the start is where the fit begins. A run-time error for want of
 * memory, if there are no rows, or if numbers are not finite. The result does not depend on the
 * number of threads. */
bool gamma_regression_fit(const GammaProblem *problem, double *w, GammaFit *fit, Error *error);

/* w [P] := 0, but for the intercept: the best constant. */
void gamma_regression_constant(const GammaRows *rows, const double *r, double *w);

/* l [rows] := w' phi of every row. */
void gamma_regression_apply(const GammaRows *rows, const double *w, double *l);

/* *loss := the mean of l + r exp(-l) over the rows, times the rows' weights unless `weight` is NULL;
 * NAN if there are no rows. It fails for want of memory. */
bool gamma_regression_loss(const GammaRows *rows, const double *r, const double *weight,
                           const double *w, double *loss, Error *error);
