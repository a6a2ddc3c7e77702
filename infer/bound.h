/* The variational bound of many variances and many numbers of steps, from one sweep over the network.
 *
 * What the network says at (image, t) does not depend on the variance nor on the step that leaves t.
 * So it runs once per image and timestep that any trajectory visits, and every variance and every
 * step from t takes its term from that one pass; terms are cheap beside it.
 */
#pragma once

#include "diffusion/trajectory.h"
#include "lists.h"
#include "network.h"
#include "noise.h"

typedef struct BoundPlan {
    VarianceKind variances[VARIANCE_KINDS];
    int variance_count;
    int steps[LISTS_MAX_STEPS]; /* K of each trajectory */
    int steps_count;
    TrajectoryKind trajectory;
    bool clip_cov;
    uint64_t seed;          /* of the noise in x_t: a function of it, t and the image's index */
    const char *noise_path; /* or a file that has it, /t [K] and /eps [K, n, C, H, W]; NULL */
    int images;
    const float *x_0; /* [images, dims] */
} BoundPlan;

/* bits [variance][steps][image] := the bound in bits per dimension, the sum of its terms. An input
 * error if the network lacks what a variance needs, or if a number of steps is impossible. The
 * network must be prepared for `images`. */
bool bound_sweep(Network *network, const BoundPlan *plan, bool quiet, double *bits, Error *error);
