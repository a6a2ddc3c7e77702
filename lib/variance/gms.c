/* GMS: noise from a mixture of two Gaussians, with the mean, the variance and the third moment of
 * x_s given x_t (Guo et al. 2023).
 *
 * Heads estimate E[eps^2 | x_t] = h and E[eps^3 | x_t] = m. With e = eps_hat the third central
 * moments are
 *     of eps  k = m - 3 h e + 2 e^3
 *     of x_0  -(beta_bar / alpha_bar)^(3/2) k
 *     of x_s  -(gain beta_bar / alpha_bar)^(3/2) k         (x_s = sqrt(gain) x_0 + the rest)
 * and the variance of x_s is that of sn.
 *
 * The components have probabilities 1/3 and 2/3, and one variance. With centres 2 d and -d around
 * the mean, the mixture has
 *     variance v + 2 d^2,    third central moment 2 d^3,
 * so d is the cube root of half the third moment. The published code finds d and v by 70 steps of an
 * optimiser; there v is at least a tenth of the variance, and so it is here.
 *
 * As published, an image takes all its elements from the same component, and the first and the last
 * noise of a trajectory are Gaussian. The component is a function of z.
 */
#include "variance/gms.h"

#include "base/fingerprint.h"
#include "base/random.h"
#include "variance/variance.h"

#include <math.h>

GmsSplit gms_split(double variance, double third)
{
    const double most = sqrt((1 - GMS_LEAST_WITHIN) / 2 * variance);
    double offset = cbrt(third / 2);
    offset = offset > most ? most : offset < -most ? -most : offset; /* a NaN stays */
    return (GmsSplit){.offset = offset, .within = variance - 2 * offset * offset};
}

/* Whether an image with this noise takes the first component. The hash of z is independent of z
 * but in name. */
static bool takes_first(const float *z, size_t dims)
{
    const uint64_t print = fingerprint(FINGERPRINT_START, z, dims * sizeof *z);
    return random_uniform((RandomKey){.seed = print, .purpose = RANDOM_SAMPLE_NOISE}, 0) <
           GMS_FIRST;
}

static void draw(const VarianceInput *input, const ReverseStep *step, const float *cov,
                 const float *z, float *noise)
{
    const double factor = step->is_end ? 0 : -pow(step->gain * variance_factor(input), 1.5);
    const double sign = takes_first(z, input->dims) ? 2 : -1;
    for (size_t i = 0; i < input->dims; i++) {
        const double e = input->eps_hat[i], h = input->head[i], m = input->draw_head[i];
        const double variance = reverse_variance(step, cov[i]);
        const double third = factor == 0 ? 0 : factor * (m - 3 * h * e + 2 * e * e * e);
        const GmsSplit split = gms_split(variance < 0 ? 0 : variance, third);
        noise[i] = (float)(sign * split.offset + sqrt(split.within) * z[i]);
    }
}

/* The estimate of Cov[x_0 | x_t] is that of sn. */
static void gms(const VarianceInput *input, float *cov)
{
    variance_sn.cov(input, cov);
}

const Variance variance_gms = {
    .name = "gms",
    .help = "two Gaussians, from heads sn and gms",
    .source = "Guo et al. 2023",
    .head = "sn",
    .draw_head = "gms",
    .no_bound = "its noise is a mixture of Gaussians, whose KL has no closed form",
    .cov = gms,
    .draw = draw,
};
