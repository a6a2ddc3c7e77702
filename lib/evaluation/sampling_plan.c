/* Makes plans of sampling. A plan is complete: a sampler that follows it knows no default and reads
 * no file of trajectories. */
#include "evaluation/sampling_plan.h"

#include "base/memory.h"
#include "evaluation/dp.h"

#include <math.h>

const Variance *sampling_default_variance(const Network *network, Sampler sampler)
{
    const bool beta = network_config(network)->stage1.variance == FIXED_BETA;
    return beta && sampler == SAMPLER_DDPM ? &variance_beta : &variance_beta_tilde;
}

/* The options of the plan's steps, but for clip_sigma_to. */
static ReverseOptions reverse_of(const SamplingChoice *choice, const Variance *variance)
{
    ReverseOptions reverse = reverse_defaults(choice->sampler);
    reverse.variance = variance->step;
    reverse.clip_x0 = choice->clip_x0;
    reverse.correction = choice->correction;
    if (!isnan(choice->eta))
        reverse.eta = choice->eta;
    if (!isnan(choice->clip_pixel))
        reverse.clip_pixel = choice->clip_pixel;
    return reverse;
}

bool sampling_check(const SamplingChoice *choice, const Variance *variance, Error *error)
{
    const ReverseOptions reverse = reverse_of(choice, variance);
    return variance_check_step(variance, &reverse, error);
}

bool sampling_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                        const EstimateOptions *estimate, int steps, int *timesteps, Error *error)
{
    if (trajectory == TRAJECTORY_DP)
        return variance_check_bound(variance, error) &&
               dp_trajectory(network, variance, estimate, steps, timesteps, error);
    return trajectory_make(trajectory, network_schedule(network)->timesteps, steps, timesteps,
                           error);
}

bool sampling_plan_make(SamplingPlan *plan, const Network *network, const SamplingChoice *choice,
                        const Variance *variance, int steps, Error *error)
{
    *plan = (SamplingPlan){.variance = variance,
                           .reverse = reverse_of(choice, variance),
                           .estimate = choice->estimate,
                           .trajectory = choice->trajectory,
                           .steps = steps,
                           .krylov = choice->krylov,
                           .timesteps = memory_small((size_t)steps + 1, sizeof(int))};
    if (!sampling_timesteps(network, choice->trajectory, variance, &choice->estimate, steps,
                            plan->timesteps, error))
        return false;
    plan->reverse.clip_sigma_to = plan->timesteps[1]; /* the last noise added */
    return true;
}

void sampling_plan_free(SamplingPlan *plan)
{
    memory_free(plan->timesteps);
    plan->timesteps = NULL;
}
