/* Trajectories: the K of the N timesteps that a sampler visits.
 *
 * A trajectory is an array of K + 1 timesteps that begins with 0 and never falls. A sampler starts
 * at the last timestep and walks down. The kinds linear and quad are by Song et al. (2021, "DDIM",
 * appendix D.2), in the version of the published code. Every rounding of that code is reproduced,
 * because one timestep more or less changes every later number.
 */
#pragma once

#include "base/error.h"

typedef enum TrajectoryKind {
    /* Evenly spaced from 1 to N; all different. */
    TRAJECTORY_LINEAR,
    /* Evenly spaced square roots, from 1 to 0.8 N + 1; denser near the data. */
    TRAJECTORY_QUAD,
    /* The best for a likelihood, found on training images (best_path.h). */
    TRAJECTORY_DP,
} TrajectoryKind;

enum { TRAJECTORY_KINDS = TRAJECTORY_DP + 1 };

/* "linear", "quad" or "dp", a constant string. */
const char *trajectory_name(TrajectoryKind kind);

/* The kind with this name. An input error lists the names. */
bool trajectory_parse(const char *name, TrajectoryKind *kind, Error *error);

/* timesteps [steps + 1] := 0, t_1 <= ... <= t_K, for K = steps and N = total. `kind` is linear or
 * quad. K < 1 and K > N are input errors. With K = 1, t_1 is the kind's last timestep.
 *
 * A quad trajectory repeats timesteps if K is large (from 50 on at N = 1000). A step t -> t has
 * beta_{t|t} = 0: a sample does not move, and a likelihood must leave the step out. */
bool trajectory_make(TrajectoryKind kind, int total, int steps, int *timesteps, Error *error);
