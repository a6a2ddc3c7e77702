/* ocm, "optimal covariance matching": the target of the head is -sqrt(beta_bar_t) v o (J'v), where v
 * are random signs and J is the Jacobian of eps_hat. The mean of v o (J'v) is the diagonal of J, and
 *     Cov[x_0 | x_t] = (beta_bar_t / alpha_bar_t) (I - sqrt(beta_bar_t) J),
 * so the variance ocm is (beta_bar_t / alpha_bar_t) (1 + head). The target reads no image: its noise
 * is that of the signs alone. */
#include "variance/objective.h"

#include <assert.h>
#include <math.h>

static void target(const ObjectiveInput *in, double *y)
{
    assert(in->product);
    const double scale = -sqrt(in->schedule->beta_bar[in->t]);
    for (size_t i = 0; i < in->dims; i++)
        y[i] = scale * in->product[i];
}

const Objective objective_ocm = {
    .name = "ocm",
    .help = "regresses the diagonal of the network's own Jacobian",
    .source = "Ou et al. 2024",
    .seed_offset = 7,
    .reads_product = true,
    .target = target,
};
