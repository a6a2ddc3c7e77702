/* gms, the third moment of the noise: the target of the head is eps^3, so its output is
 * E[eps^3 | x_t]. The variance gms draws the noise of a step from two Gaussians with it. */
#include "variance/objective.h"

static void target(const ObjectiveInput *in, double *y)
{
    for (size_t i = 0; i < in->dims; i++)
        y[i] = (double)in->eps[i] * in->eps[i] * in->eps[i];
}

const Objective objective_gms = {
    .name = "gms",
    .help = "regresses eps^3: skewed noise, beside sn",
    .source = "Guo et al. 2023",
    .seed_offset = 6,
    .target = target,
};
