/* Linear least squares from sums over observations, with the normal equations.
 *
 * An observation is a vector phi of F features, the last of them 1 (the intercept), and K targets y. The w
 * that minimises sum (y - w' phi)^2 depends on the observations through sums alone, which add up over
 * batches, machines and bins:
 *
 *     products  sum phi phi'  [F, F]      moments  sum y phi  [K, F]      squares  sum y^2  [K]
 *
 * So what costs time, reading the observations, is done once, and solving, with another ridge, for another
 * target or for more of the sums together, is free beside it. The sums also give the loss of any w on
 * observations that had no part in it.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* In one block of memory, so that a file holds it as one array. */
typedef struct NormalSums {
    int features, targets; /* F, K */
    double *products;      /* [F (F + 1) / 2], the lower triangle, row by row */
    double *moments;       /* [K, F] */
    double *squares;       /* [K] */
    double *count;         /* [1]: of observations */
} NormalSums;

/* Doubles of a block; the sums in one, which begin as zeros. */
size_t normal_sums_size(int features, int targets);
NormalSums normal_sums_at(double *block, int features, int targets);

/* to += from */
void normal_sums_add(const NormalSums *to, const NormalSums *from);

/* The mean over observations of (y - w' phi)^2 for one target, w [F]; NAN where there are none. */
double normal_sums_loss(const NormalSums *sums, int target, const double *w);

/* How a system is to be solved. */
typedef struct Shrinkage {
    double ridge;  /* what is added to the diagonal, in units of it; not for the intercept */
    double borrow; /* 0 to 1: how much of the means comes from `all` instead of `own` */
} Shrinkage;

/* w [K, F] := the least squares weights of every target for
 *
 *     (1 - borrow) own + borrow all          sums divided by their counts
 *
 * with the ridge. Borrowing draws w toward the solution of `all`, all the more where `own` says little.
 * A system that can't be solved to half of a double's digits gets ten times the ridge until it can: `ridge_used`
 * is what it took (NULL: not wanted). `all` is read where borrow > 0 only. A run-time error where `own`
 * and `all` hold nothing, or something that is not finite. */
bool least_squares_solve(const NormalSums *own, const NormalSums *all, Shrinkage shrinkage,
                         double *w, double *ridge_used, Error *error);
