/* Linear least squares from sums over observations, with the normal equations.
 *
 * An observation is a vector phi of F features and K targets y. The last feature is 1 (the
 * intercept). The w that minimises sum (y - w' phi)^2 depends on the observations through three
 * sums only. Sums of different batches, machines and bins can be added:
 *
 *     products  sum phi phi'  [F, F]      moments  sum y phi  [K, F]      squares  sum y^2  [K]
 *
 * Reading the observations takes the time, and is done once. Solving again takes nearly none: with
 * another ridge, for another target, or for several sums together. The sums of held-out
 * observations also give the loss of any w on them.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* The sums. All arrays lie in one block of memory, so that a file holds them as one array. */
typedef struct NormalSums {
    /* F and K. */
    int features, targets;
    /* [F (F + 1) / 2]: the lower triangle, row by row. */
    double *products;
    /* [K, F] */
    double *moments;
    /* [K] */
    double *squares;
    /* [1]: the number of observations. */
    double *count;
} NormalSums;

/* The number of doubles in a block, and the sums in a block. The caller owns the block; a block of
 * zeros is a sum of no observations. */
size_t normal_sums_size(int features, int targets);
NormalSums normal_sums_at(double *block, int features, int targets);

/* to += from */
void normal_sums_add(const NormalSums *to, const NormalSums *from);

/* The mean over observations of (y - w' phi)^2 for one target, w [F]; NAN if there are no
 * observations. */
double normal_sums_loss(const NormalSums *sums, int target, const double *w);

/* How a system is solved. */
typedef struct Shrinkage {
    /* Added to the diagonal, as a multiple of the diagonal; the intercept gets none. */
    double ridge;
    /* 0 to 1: the share of the means that comes from `all` instead of `own`. */
    double borrow;
} Shrinkage;

/* w [K, F] := the least squares weights of every target for
 *
 *     (1 - borrow) own + borrow all          sums divided by their counts
 *
 * with the ridge. Borrowing draws w toward the solution of `all`, most in directions in which `own`
 * has little data. If the system can't be solved to half of a double's digits, the ridge is raised
 * tenfold until it can; *ridge_used := the ridge at the end (NULL: not wanted). `all` is read only
 * if borrow > 0, or if `own` has no observations: then all is borrowed. A run-time error if there
 * are no observations, if the sums are not finite, or if no ridge helps. */
bool least_squares_solve(const NormalSums *own, const NormalSums *all, Shrinkage shrinkage,
                         double *w, double *ridge_used, Error *error);
