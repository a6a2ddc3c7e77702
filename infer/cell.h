/* The reverse process of one cell: which timesteps it visits, and how each step is made.
 *
 * A cell is a sampler, a variance and a number of steps; infer sample draws one or several, infer quality
 * measures several, infer nll bounds several.
 */
#pragma once

#include "infer/command.h"
#include "inference/sampler.h"

/* timesteps [steps + 1] := the trajectory. dp follows the stored file of the variance (evaluation/dp.h). An input
 * error names --steps or --trajectory. */
bool cell_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                    const EstimateOptions *estimate, int steps, int *timesteps, Error *error);

/* The options of a step; reverse_check says whether they are possible. */
ReverseOptions cell_reverse(const SamplingOptions *options, Sampler sampler,
                            const Variance *variance);

/* Fills in a plan by the common options, with these options of a step and this estimate. Allocates its timesteps,
 * also where it fails. */
bool cell_plan_make(SamplingPlan *plan, const Network *network, const SamplingOptions *options,
                    const Variance *variance, const ReverseOptions *reverse,
                    const EstimateOptions *estimate, int steps, Error *error);
void cell_plan_free(SamplingPlan *plan); /* fine on a zeroed struct */
