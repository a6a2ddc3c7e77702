/* The two variances of Ho et al. 2020. They depend on the schedule alone.
 *
 * Each is optimal for one distribution of x_0: beta_{t|s} for N(0, I), and beta_tilde_{s|t} for a
 * single point. So each is also an estimate of Cov[x_0 | x_t]: beta_bar_t for beta, and 0 for
 * beta_tilde. (Substituting the coefficients of diffusion/reverse.h shows that
 * lambda^2 + gain beta_bar_t = beta_{t|s} for every s.) Both are linear, so a share w of beta and
 * 1 - w of beta_tilde is the estimate w beta_bar_t. The bound uses these estimates, and so treats
 * all variances alike. A step uses the exact variance instead. Both need the share alone.
 */
#include "variance/variance.h"

const Variance variance_beta = {
    .name = "beta",
    .help = "beta_{t|s}; DDPM only",
    .source = "Ho et al. 2020",
    .step = {.is_fixed = true, .beta_share = 1},
};

const Variance variance_beta_tilde = {
    .name = "beta_tilde",
    .help = "that of q(x_s | x_t, x_0)",
    .source = "Ho et al. 2020",
    .step = {.is_fixed = true, .beta_share = 0},
};
