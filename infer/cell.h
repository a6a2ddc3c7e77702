/* The cells of infer's tables. A cell is a sampler, a variance and a number of steps. infer sample
 * draws cells, infer quality measures them, infer nll bounds them.
 *
 * Here the options of a command line become the choices of evaluation/sampling_plan.h, and errors
 * get the names of options.
 */
#pragma once

#include "evaluation/sampling_plan.h"
#include "infer/command.h"

/* The choices on the command line, for one sampler; clip_x0 is true. */
SamplingChoice cell_choice(const CommonOptions *common, Sampler sampler);

/* sampling_timesteps; an input error names --steps or --trajectory. */
bool cell_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                    const EstimateOptions *estimate, int steps, int *timesteps, Error *error);

/* sampling_plan_make; an input error names --steps or --trajectory. */
bool cell_plan_make(SamplingPlan *plan, const Network *network, const SamplingChoice *choice,
                    const Variance *variance, int steps, Error *error);
