/* Options of a command line become plans of cells. An error names the option that the user has to
 * change: --trajectory where dp has no stored file, --steps for the other trajectories. */
#include "infer/cell.h"

static bool name_option(TrajectoryKind trajectory, Error *error)
{
    return error_prefix(error, trajectory == TRAJECTORY_DP ? "--trajectory" : "--steps");
}

SamplingChoice cell_choice(const CommonOptions *common, Sampler sampler)
{
    const SamplingOptions *sampling = &common->sampling;
    return (SamplingChoice){.sampler = sampler,
                            .trajectory = (TrajectoryKind)sampling->trajectory,
                            .eta = sampling->eta,
                            .clip_pixel = sampling->clip_pixel,
                            .clip_x0 = true,
                            .krylov = (int)common->full.krylov,
                            .estimate = common->estimate};
}

bool cell_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                    const EstimateOptions *estimate, int steps, int *timesteps, Error *error)
{
    return sampling_timesteps(network, trajectory, variance, estimate, steps, timesteps, error) ||
           name_option(trajectory, error);
}

bool cell_plan_make(SamplingPlan *plan, const Network *network, const SamplingChoice *choice,
                    const Variance *variance, int steps, Error *error)
{
    return sampling_plan_make(plan, network, choice, variance, steps, error) ||
           name_option(choice->trajectory, error);
}
