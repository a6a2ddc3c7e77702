/* Makes plans of cells from the options that infer sample, infer quality and infer nll share.
 *
 * A plan is complete: the sampler that follows it reads no option of the command line.
 */
#include "infer/cell.h"

#include "base/memory.h"
#include "evaluation/dp.h"

#include <math.h>

bool cell_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                    const EstimateOptions *estimate, int steps, int *timesteps, Error *error)
{
    if (trajectory == TRAJECTORY_DP)
        return dp_trajectory(network, variance, estimate, steps, timesteps, error) ||
               error_prefix(error, "--trajectory");
    const int all = network_schedule(network)->timesteps;
    return trajectory_make(trajectory, all, steps, timesteps, error) ||
           error_prefix(error, "--steps");
}

ReverseOptions cell_reverse(const SamplingOptions *options, Sampler sampler,
                            const Variance *variance)
{
    ReverseOptions reverse = reverse_defaults(sampler);
    reverse.variance = variance->step;
    if (!isnan(options->eta))
        reverse.eta = options->eta;
    if (!isnan(options->clip_pixel))
        reverse.clip_pixel = options->clip_pixel;
    return reverse;
}

bool cell_plan_make(SamplingPlan *plan, const Network *network, const SamplingOptions *options,
                    const Variance *variance, const ReverseOptions *reverse,
                    const EstimateOptions *estimate, int steps, Error *error)
{
    *plan = (SamplingPlan){.variance = variance,
                           .reverse = *reverse,
                           .estimate = *estimate,
                           .trajectory = (TrajectoryKind)options->trajectory,
                           .steps = steps,
                           .timesteps = memory_small((size_t)steps + 1, sizeof(int))};
    if (!cell_timesteps(network, plan->trajectory, variance, estimate, steps, plan->timesteps,
                        error))
        return false;
    plan->reverse.clip_sigma_to = plan->timesteps[1]; /* the last noise added */
    return true;
}

void cell_plan_free(SamplingPlan *plan)
{
    memory_free(plan->timesteps);
    plan->timesteps = NULL;
}
