/* Chooses the ridge and the share that is borrowed from all bins (least_squares.h) by the loss on
 * held-out observations.
 *
 * The share is chosen first, at a small ridge. Then the ridge is chosen at that share. A trial is
 * one Cholesky factorisation. It reads no observations, since the sums contain everything needed.
 */
#pragma once

#include "stats/least_squares.h"

/* Solves for all targets. Each kind has `outputs` consecutive targets, which share one choice:
 *   own      the sums of the bin's observations
 *   all      the sums of all bins' observations; NULL if there is only one bin
 *   held     the sums of the bin's held-out observations; if there are none, a medium ridge and
 *            share are used
 *   ridge    >= 0: use this ridge; < 0: choose the ridge too
 *   chosen   [targets / outputs]: the result
 *   w        [targets, features]: the result
 * A run-time error if sums are not finite. */
bool shrinkage_fit(const NormalSums *own, const NormalSums *all, const NormalSums *held,
                   int outputs, double ridge, Shrinkage *chosen, double *w, Error *error);
