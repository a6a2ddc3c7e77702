/* How much a solution of least squares should trust its own observations: tried out on others.
 *
 * Of every pair of a ridge and a share that is borrowed from all bins (least_squares.h), the one is taken
 * whose weights have the least loss on held-out observations. First the share, at a small ridge, then the
 * ridge. Since the sums have it all, a trial is one Cholesky factorisation and reads no observation.
 */
#pragma once

#include "stats/least_squares.h"

/* For every kind of target, `outputs` targets each, which share what they are solved with:
 *   own, all   what is fitted: a bin's observations, and those of all bins (NULL where it is the only one)
 *   held       held-out observations of the bin; where there are none, middling values are taken
 *   ridge      >= 0: take this one; below: choose it too
 *   chosen [targets / outputs], w [targets, features]: results
 * A run-time error where sums are not finite. */
bool shrinkage_fit(const NormalSums *own, const NormalSums *all, const NormalSums *held,
                   int outputs, double ridge, Shrinkage *chosen, double *w, Error *error);
