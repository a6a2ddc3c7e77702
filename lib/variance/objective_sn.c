/* sn, "square of noise": the target of the head is eps^2, so its output is h -> E[eps^2 | x_t]. The
 * variance SN is (beta_bar_t / alpha_bar_t) (h - eps_hat^2). */
#include "variance/objective.h"

static void target(const ObjectiveInput *in, double *y)
{
    for (size_t i = 0; i < in->dims; i++)
        y[i] = (double)in->eps[i] * in->eps[i];
}

const Objective objective_sn = {
    .name = "sn",
    .help = "regresses eps^2, and takes the mean for perfect",
    .source = "Bao et al. 2022",
    .seed_offset = 2,
    .target = target,
};
