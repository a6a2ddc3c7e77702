/* The reverse process of one cell: the timesteps that it visits, and the options of its steps.
 *
 * A cell is a sampler, a variance and a number of steps. infer sample draws cells, infer quality
 * measures them, infer nll bounds them.
 */
#pragma once

#include "infer/command.h"
#include "inference/sampler.h"

/* timesteps [steps + 1] := the trajectory. dp follows the stored file of the variance
 * (evaluation/dp.h). An input error names --steps or --trajectory. */
bool cell_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                    const EstimateOptions *estimate, int steps, int *timesteps, Error *error);

/* The options of a step. They may be impossible (reverse_check). */
ReverseOptions cell_reverse(const SamplingOptions *options, Sampler sampler,
                            const Variance *variance);

/* Fills in a plan from the options of a step, `reverse`, and its estimate; only the trajectory
 * is read of `options`. After a failure the plan must be freed too. */
bool cell_plan_make(SamplingPlan *plan, const Network *network, const SamplingOptions *options,
                    const Variance *variance, const ReverseOptions *reverse,
                    const EstimateOptions *estimate, int steps, Error *error);
void cell_plan_free(SamplingPlan *plan); /* fine on a zeroed struct */
