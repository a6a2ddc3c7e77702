/* The true variance around the network's mean, E[(x_0 - x_0_hat)^2 | x_t]: the best that any
 * variance can be.
 *
 * It is known if the data are a mixture of Gaussians, because the moments of a mixture have closed
 * forms (diffusion/mixture.h):
 *     E[(x_0 - x_0_hat)^2 | x_t] = Cov[x_0 | x_t] + (E[x_0 | x_t] - x_0_hat)^2.
 * With a perfect network the second term is 0, and the variance is Cov[x_0 | x_t] itself.
 */
#include "base/memory.h"
#include "variance/variance.h"

static void true_cov(const VarianceInput *input, float *cov)
{
    const ReverseOptions options = {.sampler = SAMPLER_DDPM, .clip_x0 = input->clip_x0};
    const ReverseStep step = reverse_step(input->schedule, &options, 0, input->t);
    const size_t dims = input->dims;
    double *x = memory_small(3 * dims, sizeof *x), *eps = x + dims, *within = eps + dims;
    for (size_t i = 0; i < dims; i++)
        x[i] = input->x_t[i];
    mixture_moments(input->mixture, input->schedule, input->t, x, eps, NULL, within);
    for (size_t i = 0; i < dims; i++) {
        const double mean = step.x0_xt * x[i] - step.x0_eps * eps[i];
        const double off = mean - reverse_x0_hat(&step, x[i], input->eps_hat[i]);
        cov[i] = (float)(within[i] + off * off);
    }
    memory_free(x);
}

const Variance variance_true = {
    .name = "true",
    .alias = "exact",
    .help = "the best for this mean; on the built-in mixture",
    .source = "closed form",
    .needs_mixture = true,
    .cov = true_cov,
};
