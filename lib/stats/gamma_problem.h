/* What a gamma regression (stats/gamma_regression.h) minimises: the loss of rows, a ridge, and a
 * pull towards the solution for other rows.
 */
#pragma once

#include "stats/gamma_rows.h"

/* All arrays are borrowed. */
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
     * minimum `center` [P], with the weight `pull`, where `matrix` is Fisher's of those rows,
     * stored as `fisher` is. 0: no such term; the two arrays are not read. */
    double pull;
    const double *center, *matrix;
    /* The fit ends when the loss is this near to its least value, as Newton's method estimates it;
     * 1e-9, say. */
    double tolerance;
} GammaProblem;
