/* Trajectories: which K of the N timesteps a sampler visits.
 *
 * A trajectory is an array of K + 1 timesteps that never fall, beginning with 0; a sampler
 * starts at the last and walks down. Two kinds are Song et al.'s (2021, "DDIM", appendix D.2)
 * in the version of the published code, of which every rounding is reproduced, because one
 * timestep more or less changes every later number.
 */
#pragma once

#include "base/error.h"

typedef enum TrajectoryKind {
    TRAJECTORY_LINEAR, /* evenly spaced from 1 to N; all different */
    TRAJECTORY_QUAD,   /* evenly spaced square roots, from 1 to 0.8 N + 1, denser near the data */
    TRAJECTORY_DP,     /* the best for a likelihood, found on training images (best_path.h) */
} TrajectoryKind;

enum { TRAJECTORY_KINDS = TRAJECTORY_DP + 1 };

/* "linear", "quad", "dp"; and the kind of a name (an input error lists the names). */
const char *trajectory_name(TrajectoryKind kind);
bool trajectory_parse(const char *name, TrajectoryKind *kind, Error *error);

/* timesteps[0 .. steps] := 0, t_1 <= ... <= t_K, linear or quad, for K = steps of N = total timesteps. An input
 * error unless 1 <= K <= N. With K = 1 only the last timestep of the kind is left.
 *
 * A quad trajectory repeats timesteps when K is large (from 50 on at N = 1000). The step t -> t
 * has beta_{t|t} = 0: sampling stays where it is, a likelihood must leave it out. */
bool trajectory_make(TrajectoryKind kind, int total, int steps, int *timesteps, Error *error);
