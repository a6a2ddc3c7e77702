/* The variational bound for many variances and many trajectories, from one sweep over the network.
 *
 * The network's outputs at (image, t) depend neither on the variance nor on the step that leaves t. So a sweep visits
 * the timesteps from N down to 1, and runs the network once for each image and timestep that anything needs. That pass
 * serves
 *
 *     cells         the terms of every variance on every trajectory that visits t
 *     tables        the cost of every step t -> s, for every variance, which the best trajectories are found with
 *                   (diffusion/best_path.h)
 *     calibration   whether the errors of the mean are as large as each variance says
 *
 * The timesteps do not depend on one another: the sums of a sweep that was interrupted between two of them can be
 * stored and put back, and the results are the same, bit for bit.
 */
#pragma once

#include "base/error.h"
#include "base/progress.h"
#include "evaluation/bound_task.h"

typedef struct Bound Bound;

/* An input error if tables of a variance are impossible: if it depends on s. */
bool bound_check_tables(const Variance *variance, Error *error);

/* Prepares a sweep. Task and predictor must outlive it, and the predictor must know everything that the variances need.
 * Fails for want of memory, and where the tables that the task wants are impossible. */
bool bound_make(Bound **bound, const Predictor *predictor, const BoundTask *task, Error *error);
void bound_free(Bound *bound); /* NULL is fine */

/* Whether timestep t, 1 .. N, is needed; and how many are, from t down. */
bool bound_needs(const Bound *bound, int t);
int bound_needed(const Bound *bound, int t);

/* Visits timestep t, 1 .. N. The sums change only when all images are done; every image is one of
 * progress->total (NULL: no progress is shown). */
bool bound_visit(Bound *bound, int t, Progress *progress, Error *error);

/* All of them, owned by the sweep. */
const BoundSums *bound_sums(const Bound *bound);

/* The prior's mean for trajectories that begin at N, which tables leave out. */
double bound_prior(const Bound *bound);

/* The mean over images of a cell's bound, and its standard error (NaN for a single image). */
double bound_mean(const Bound *bound, int cell, double *error);
