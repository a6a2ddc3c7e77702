/* Plans of sampling, made of what a user chooses. The commands of infer and the library share them.
 *
 * The plan itself is in inference/sampler.h. Its making belongs here, because the trajectory dp
 * comes from stored files of bounds (evaluation/dp.h).
 */
#pragma once

#include "inference/sampler.h"

/* A user's choices. All variances and numbers of steps of a call share them. */
typedef struct SamplingChoice {
    Sampler sampler;
    TrajectoryKind trajectory;
    /* NAN: the default of the sampler (reverse_defaults). */
    double eta, clip_pixel;
    bool clip_x0;
    EstimateOptions estimate;
    MeanCorrection correction;
    /* m of the variance full; 0: the default. */
    int krylov;
} SamplingChoice;

/* The variance that samples have if none is chosen: that of the recipe (stage1.variance), where the
 * sampler can have it. */
const Variance *sampling_default_variance(const Network *network, Sampler sampler);

/* Whether the choices and the variance make a step (variance_check_step); else an input error. */
bool sampling_check(const SamplingChoice *choice, const Variance *variance, Error *error);

/* timesteps [steps + 1] := the trajectory. dp follows the stored file of the variance under these
 * options (evaluation/dp.h). An input error says why there is no such trajectory. */
bool sampling_timesteps(const Network *network, TrajectoryKind trajectory, const Variance *variance,
                        const EstimateOptions *estimate, int steps, int *timesteps, Error *error);

/* Fills in a plan; `choice` and `variance` must have passed sampling_check. Errors are those of
 * sampling_timesteps. The caller frees the plan, after a failure too. */
bool sampling_plan_make(SamplingPlan *plan, const Network *network, const SamplingChoice *choice,
                        const Variance *variance, int steps, Error *error);
/* Frees what the plan holds. Works on a zeroed struct. */
void sampling_plan_free(SamplingPlan *plan);
