/* The reverse process: from x_T down a trajectory to x_0.
 *
 *     for k = K .. 1:  s, t = timesteps[k-1], timesteps[k]
 *         eps_hat, head  =  the network at x_t, t
 *         x_s  =  mean(x_t, eps_hat) + sqrt(variance) z        z ~ N(0, I); no noise when s = 0
 *         x_s  =  x_s after DCW, if the plan has it            (diffusion/mean_correction.h)
 *
 * What a step does with the network's outputs is in diffusion/reverse.h.
 */
#pragma once

#include "base/error.h"
#include "base/progress.h"
#include "diffusion/reverse.h"
#include "diffusion/trajectory.h"
#include "inference/network.h"
#include "inference/noise.h"
#include "variance/estimate.h"

typedef struct SamplingPlan {
    const Variance *variance;
    ReverseOptions reverse;   /* its variance is variance->step */
    EstimateOptions estimate; /* what is done to Cov[x_0 | x_t] */
    TrajectoryKind trajectory;
    int steps;      /* K */
    int krylov;     /* m of the variance full; 0: the default of inference/full_options.h */
    int *timesteps; /* [K + 1], from 0 up */
} SamplingPlan;

/* The plan's variance with what is done to it and to the mean, "sn-floor0.03-eps1.01": its name in
 * tables. */
EstimateLabel sampling_label(const SamplingPlan *plan);

/* x [count, dims], NHWC := samples first .. first + count - 1. They are not clipped after the
 * last step. The variance must have passed network_check_variance, the options reverse_check,
 * and the network must be prepared. Each step of each image counts as one of progress->total. A
 * run-time error if a sample is not finite. */
bool sampler_run(Network *network, const SamplingPlan *plan, Noise *noise, int first, int count,
                 float *x, Progress *progress, Error *error);
