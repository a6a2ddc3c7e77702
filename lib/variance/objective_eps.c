/* eps: the target is the noise itself, so the network's output is eps_hat -> E[eps | x_t]. Stage 1
 * minimises this objective. */
#include "variance/objective.h"

static void target(const ObjectiveInput *in, double *y)
{
    for (size_t i = 0; i < in->dims; i++)
        y[i] = in->eps[i];
}

const Objective objective_eps = {
    .name = "eps",
    .help = "regresses eps: the mean",
    .source = "Ho et al. 2020, equation 14",
    .target = target,
};
