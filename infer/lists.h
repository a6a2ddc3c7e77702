/* Lists with commas between, as --variance, --trajectory, --sampler and --steps take them. Errors name the option. */
#pragma once

#include "base/error.h"
#include "diffusion/reverse.h"
#include "diffusion/trajectory.h"
#include "variance/variance.h"

enum { LISTS_MAX_STEPS = 64, LISTS_MAX_SCALES = 64, LISTS_SAMPLERS = SAMPLER_DDIM + 1 };
enum { LISTS_MOST_SCALE = 1000 }; /* of --cov-scale */

/* Appends the kinds of "npr,sn" to kinds [VARIANCE_KINDS]; NULL is an empty list. */
bool lists_variances(const char *list, VarianceKind *kinds, int *count, Error *error);

/* Appends the kinds of "linear,dp" to kinds [TRAJECTORY_KINDS]. */
bool lists_trajectories(const char *list, TrajectoryKind *kinds, int *count, Error *error);

/* Appends the samplers of "ddpm,ddim" to samplers [LISTS_SAMPLERS]. */
bool lists_samplers(const char *list, Sampler *samplers, int *count, Error *error);

/* Appends the numbers of "10,25" to steps [LISTS_MAX_STEPS]. */
bool lists_steps(const char *list, int *steps, int *count, Error *error);

/* Appends the numbers of "0.5,1" to scales [LISTS_MAX_SCALES]. */
bool lists_scales(const char *list, double *scales, int *count, Error *error);
