/* npr, "noise prediction residual": the target of the head is (eps - eps_hat)^2, so its output is
 * g -> E[(eps - eps_hat)^2 | x_t]. The variance NPR is (beta_bar_t / alpha_bar_t) g. */
#include "variance/objective.h"

static void target(const ObjectiveInput *in, double *y)
{
    for (size_t i = 0; i < in->dims; i++) {
        const double residual = (double)in->eps[i] - in->eps_hat[i];
        y[i] = residual * residual;
    }
}

const Objective objective_npr = {
    .name = "npr",
    .help = "regresses (eps - eps_hat)^2: better likelihoods",
    .source = "Bao et al. 2022",
    .seed_offset = 3,
    .target = target,
};
