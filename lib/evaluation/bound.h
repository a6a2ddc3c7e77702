/* The variational bound for many variances and many trajectories, from one sweep over the network.
 *
 * The network's outputs at (image, t) depend neither on the variance nor on the step that leaves t.
 * So a sweep visits the timesteps from N down to 1, and runs the network once for each image and
 * each timestep that is needed. That pass serves
 *
 *     cells         the terms of every variance on every trajectory that visits t
 *     tables        the cost of every step t -> s, for every variance; the best trajectories are
 *                   computed from them (diffusion/best_path.h)
 *     calibration   whether each variance predicts the size of the errors of the mean
 *
 * The timesteps do not depend on one another. A sweep can be interrupted between two timesteps: if
 * its sums are stored and restored, the results are the same, bit for bit.
 */
#pragma once

#include "base/error.h"
#include "base/progress.h"
#include "evaluation/bound_task.h"

typedef struct Bound Bound;

/* An input error if a variance can't have tables, because it depends on s. */
bool bound_check_tables(const Variance *variance, Error *error);

/* Prepares a sweep. Task and predictor must outlive it, and the predictor must have everything that
 * the variances need (heads, constants). A run-time error if memory runs out; an input error if the
 * task wants tables of a variance that can't have any. */
bool bound_make(Bound **bound, const Predictor *predictor, const BoundTask *task, Error *error);
void bound_free(Bound *bound); /* NULL is fine */

/* Whether timestep t, 1 .. N, is needed; and how many of the timesteps 1 .. t are needed. */
bool bound_needs(const Bound *bound, int t);
int bound_needed(const Bound *bound, int t);

/* Visits timestep t, 1 .. N. The sums change only when all images are done. Each image advances the
 * progress by 1 (NULL: no progress is shown). */
bool bound_visit(Bound *bound, int t, Progress *progress, Error *error);

/* The sums, owned by the sweep. */
const BoundSums *bound_sums(const Bound *bound);

/* The mean over images of the prior of trajectories that begin at N, in bits per dimension. Tables
 * do not contain the prior. */
double bound_prior(const Bound *bound);

/* The mean over images of a cell's bound, and its standard error (NaN for a single image). */
double bound_mean(const Bound *bound, int cell, double *error);
