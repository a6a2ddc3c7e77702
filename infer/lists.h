/* Lists with commas between, as --variance, --trajectory, --sampler, --steps, --cov-floor and
 * --cov-scale take them.
 *
 * Every function appends the items of `list` to an array and adds their number to *count; NULL is
 * an empty list. An item that is none of its kind, or given twice, is an input error that names the
 * option.
 */
#pragma once

#include "base/error.h"
#include "diffusion/reverse.h"
#include "diffusion/trajectory.h"
#include "variance/variance.h"

enum { LISTS_MAX_STEPS = 64, LISTS_MAX_SCALES = 64, LISTS_SAMPLERS = SAMPLER_DDIM + 1 };

/* The most floors, and the most rows of variances with them. */
enum { LISTS_MAX_FLOORS = 7, LISTS_MAX_ROWS = VARIANCE_COUNT * LISTS_MAX_FLOORS };

/* A number as the labels of rows print it, with nine digits: numbers that differ beyond are one. */
double lists_number(double value);

/* The largest factor that --cov-scale takes. */
enum { LISTS_MAX_SCALE = 1000 };

/* "npr,sn" to kinds [VARIANCE_COUNT]. */
bool lists_variances(const char *list, const Variance **kinds, int *count, Error *error);

/* "linear,dp" to kinds [TRAJECTORY_KINDS]. */
bool lists_trajectories(const char *list, TrajectoryKind *kinds, int *count, Error *error);

/* "ddpm,ddim" to samplers [LISTS_SAMPLERS]. */
bool lists_samplers(const char *list, Sampler *samplers, int *count, Error *error);

/* "10,25" to steps [LISTS_MAX_STEPS]. */
bool lists_steps(const char *list, int *steps, int *count, Error *error);

/* "0,0.03" to floors [LISTS_MAX_FLOORS]. */
bool lists_floors(const char *list, double *floors, int *count, Error *error);

/* "0.5,1" to scales [LISTS_MAX_SCALES]. */
bool lists_scales(const char *list, double *scales, int *count, Error *error);

/* Completes the numbers of steps of a schedule of `timesteps` timesteps. If there are none, they
 * become those of `defaults` ("10,25,50") that the schedule allows, or `timesteps` alone where
 * it allows none. An input error if the schedule has fewer timesteps than one of them. */
bool lists_complete_steps(const char *defaults, int timesteps, int *steps, int *count,
                          Error *error);
