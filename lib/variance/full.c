/* Full: the whole covariance, with its correlations, from the network's Jacobian.
 *
 * By Tweedie's second formula Cov[x_0 | x_t] = (beta_bar / alpha_bar) (I - sqrt(beta_bar) J), where
 * J = d eps_hat / d x_t. A trained network's J is only nearly symmetric; its symmetric part is
 * taken. Cov's eigenvalues are limited (inference/full_options.h). No head is needed, but a step takes
 * many passes of the network, so the sampler draws the noise itself (inference/full_noise.h).
 */
#include "variance/variance.h"

const Variance variance_full = {
    .name = "full",
    .help = "the whole covariance, 51 passes a step",
    .source = "docs/variances.md",
    .depends_on_step = true,
    .reads_jacobian = true,
};
