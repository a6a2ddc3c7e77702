/* The variational bound for many variances and many trajectories, from one sweep over the network.
 *
 * What the network says at (image, t) depends neither on the variance nor on the step that leaves t. So a
 * sweep visits the timesteps from N down to 1 and runs the network once per image and timestep that
 * anything needs; from that one pass come
 *
 *     cells         the terms of every variance on every trajectory that visits t
 *     tables        the cost of every step t -> s, for every variance: what the best trajectories are
 *                   found with (best_path.h)
 *     calibration   whether the errors of the mean are as large as each variance says
 *
 * The timesteps do not depend on one another: the sums of a sweep that was interrupted between two of them
 * can be stored and put back, and what comes out in the end is the same, bit for bit.
 */
#pragma once

#include "base/error.h"
#include "base/progress.h"
#include "diffusion/trajectory.h"
#include "variance/predictor.h"

#include <stdint.h>

/* -- Which bounds, of what -------------------------------------------------------------------- */

/* A bound: of one variance on one trajectory. */
typedef struct BoundCell {
    int variance; /* index in BoundTask.variances */
    TrajectoryKind trajectory;
    int steps;            /* K */
    const int *timesteps; /* [K + 1], from 0 up. A step t -> t costs nothing. */
} BoundCell;

/* eps [count, dims] := the noise in x_t of images first .. first + count - 1. */
typedef bool (*BoundNoise)(void *context, int t, int first, int count, float *eps, Error *error);

typedef struct BoundTask {
    const Variance *const *variances;
    int variance_count;
    const BoundCell *cells;
    int cell_count;    /* 0 is fine: only tables then */
    bool tables;       /* of every variance; estimates must be clipped (EstimateOptions.clip) */
    double clip_pixel; /* the noise of the last step that adds some, as in reverse.h; 0: not */
    int images;
    const float *x_0; /* [images, dims] */
    BoundNoise noise; /* NULL: drawn, a function of the seed, the split, the image's index and t */
    void *noise_context;
    uint64_t seed;
    uint32_t split; /* tells the noise of training images from that of test images */
} BoundTask;

/* -- What comes out --------------------------------------------------------------------------- */

/* Bits per dimension, means over the images unless it says otherwise; errors are standard errors over
 * images, NaN for a single one. What is not visited is NaN, in tables infinite. */
typedef struct BoundSums {
    double *bits;        /* [cells, images]: the bound of each image */
    double *terms;       /* [cells, N + 1]: entry t is the step from t, entry 0 the prior */
    double *terms_error; /* [cells, N + 1] */
    /* [variances, N + 1]: the mean of r^2 / Cov[x_0 | x_t] over images and elements, r = x_0 - x_0_hat: 1 is
     * calibrated, more is overconfident. Estimates below that of rounding to a grey level count as that;
     * `floored` is their share. `ratio` is sum of r^2 / sum of Cov. beta_tilde has none of it. */
    double *calibration, *calibration_error, *floored, *ratio;
    double *
        tables; /* [variances, N + 1, N + 1], entry [s][t] the cost of t -> s, s < t; NULL: not wanted.
                     * Row 0 is the decoder's, with the variance of likelihood_free_decoder_variance. */
} BoundSums;

typedef struct Bound Bound;

/* Prepares a sweep; task and predictor must outlive it, and the predictor must know all that the variances
 * need. Fails for want of memory. */
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
