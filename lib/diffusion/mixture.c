/* Gaussian mixtures: the built-in one, its samples, and the closed forms of mixture.h.
 *
 * The moments come from one formula. Given x_t and its component k, eps_i is Gaussian with
 *
 *     mean      sqrt(beta_bar) (x_t - sqrt(alpha_bar) m) / (alpha_bar v + beta_bar)
 *     variance  alpha_bar v / (alpha_bar v + beta_bar)
 *
 * The probability of k given x_t follows from Bayes' rule. The moments of the mixture are sums over
 * k with these probabilities. The variance of eps_i is the mean of the components' variances, plus
 * the variance of their means.
 */
#include "diffusion/mixture.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <math.h>

bool mixture_make(Mixture *mixture, int components, size_t dims, Error *error)
{
    assert(1 <= components && components <= MIXTURE_MAX_COMPONENTS);
    *mixture = (Mixture){.components = components, .dims = dims};
    size_t rows = (size_t)components;
    if (dims > SIZE_MAX / (2 * rows + 1))
        return error_runtime(error, "a mixture of %zu dimensions is too large", dims);
    double *arrays =
        memory_large(rows + 2 * rows * dims, sizeof(double), "the Gaussian mixture", error);
    if (!arrays)
        return false;
    mixture->weight = arrays;
    mixture->mean = arrays + rows;
    mixture->variance = arrays + rows + rows * dims;
    return true;
}

void mixture_free(Mixture *mixture)
{
    memory_free(mixture->weight); /* one allocation holds all three arrays */
    *mixture = (Mixture){0};
}

/* -- The built-in mixture --------------------------------------------------------------------- */

enum { TEMPLATES = 5 };

/* The brightness, from -1 to 1, of template k at (x, y) in [-1, 1]^2. Each channel shifts the
 * picture a little, so that channels differ and are still correlated. */
static double brightness(int k, double x, double y, int channel)
{
    x += 0.15 * channel;
    y -= 0.10 * channel;
    double radius = hypot(x, y);
    switch (k) {
    case 0: /* a spot */
        return 2 * exp(-3 * ((x + 0.2) * (x + 0.2) + (y - 0.1) * (y - 0.1))) - 1;
    case 1: /* light from the right */
        return sin(M_PI / 2 * fmax(-1, fmin(x, 1)));
    case 2: /* a ring */
        return 2 * exp(-20 * (radius - 0.6) * (radius - 0.6)) - 1;
    case 3: /* bars */
        return cos(1.5 * M_PI * y);
    default: /* two unequal spots on a diagonal */
        return 2 * exp(-6 * ((x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5))) +
               1.4 * exp(-6 * ((x + 0.5) * (x + 0.5) + (y + 0.5) * (y + 0.5))) - 1;
    }
}

bool mixture_builtin(Mixture *mixture, int resolution, int channels, Error *error)
{
    static const double weight[TEMPLATES] = {0.30, 0.25, 0.20, 0.15, 0.10};
    static const double dark_sigma[TEMPLATES] = {0.02, 0.04, 0.03, 0.05, 0.02};
    static const double bright_sigma[TEMPLATES] = {0.30, 0.20, 0.25, 0.22, 0.28};
    const double contrast = 0.4; /* the means lie within about +-0.4 */

    assert(resolution >= 1 && channels >= 1);
    size_t dims = (size_t)resolution * (size_t)resolution * (size_t)channels;
    if (!mixture_make(mixture, TEMPLATES, dims, error))
        return false;
    for (int k = 0; k < TEMPLATES; k++) {
        double *mean = mixture->mean + (size_t)k * dims;
        double *variance = mixture->variance + (size_t)k * dims;
        mixture->weight[k] = weight[k];
        for (size_t i = 0; i < dims; i++) {
            int channel = (int)(i % (size_t)channels);
            size_t pixel = i / (size_t)channels;
            double x = (2.0 * (double)(pixel % (size_t)resolution) + 1) / resolution - 1;
            double y = (2.0 * (double)(pixel / (size_t)resolution) + 1) / resolution - 1;
            double bright = brightness(k, x, y, channel);
            double share = (bright + 1) / 2; /* 0: dark, 1: bright */
            double sigma = dark_sigma[k] + (bright_sigma[k] - dark_sigma[k]) * share;
            mean[i] = contrast * bright;
            variance[i] = sigma * sigma;
        }
    }
    return true;
}

/* -- Sampling --------------------------------------------------------------------------------- */

/* The component at `uniform`, in [0, 1), on the line of cumulated weights. */
static int pick_component(const Mixture *mixture, double uniform)
{
    int k = 0;
    while (k + 1 < mixture->components && uniform >= mixture->weight[k])
        uniform -= mixture->weight[k++];
    return k;
}

int mixture_component(const Mixture *mixture, uint64_t seed, uint32_t index)
{
    RandomKey key = {.seed = seed, .purpose = RANDOM_MIXTURE, .substream = 0, .sample = index};
    return pick_component(mixture, random_uniform(key, 0));
}

void mixture_sample(const Mixture *mixture, uint64_t seed, uint32_t index, float *image)
{
    RandomKey key = {.seed = seed, .purpose = RANDOM_MIXTURE, .sample = index};
    int k = mixture_component(mixture, seed, index);
    const double *mean = mixture->mean + (size_t)k * mixture->dims;
    const double *variance = mixture->variance + (size_t)k * mixture->dims;

    key.substream = 1;
    random_normal(key, image, mixture->dims);
    for (size_t i = 0; i < mixture->dims; i++)
        image[i] = (float)(mean[i] + sqrt(variance[i]) * image[i]);
}

/* -- Exact moments ---------------------------------------------------------------------------- */

/* The distribution of x_t at one timestep. */
typedef struct Marginal {
    const Mixture *mixture;
    /* signal = sqrt(alpha_bar), noise = sqrt(beta_bar) */
    double alpha_bar, beta_bar, signal, noise;
} Marginal;

/* alpha_bar v + beta_bar, the variance of dimension i of x_t in component k. */
static inline double spread(const Marginal *marginal, int k, size_t i)
{
    const Mixture *mixture = marginal->mixture;
    return marginal->alpha_bar * mixture->variance[(size_t)k * mixture->dims + i] +
           marginal->beta_bar;
}

/* x - sqrt(alpha_bar) m, the offset of a value x from the mean of dimension i in component k. */
static inline double offset(const Marginal *marginal, int k, size_t i, double x)
{
    const Mixture *mixture = marginal->mixture;
    return x - marginal->signal * mixture->mean[(size_t)k * mixture->dims + i];
}

/* share [components] := the probability of each component given x_t. It is computed from the
 * logarithms of the densities, because the densities themselves underflow in hundreds of
 * dimensions. */
static void responsibilities(const Marginal *marginal, const double *x_t, double *share)
{
    int components = marginal->mixture->components;
    double largest = -INFINITY, total = 0;
    for (int k = 0; k < components; k++) {
        share[k] = log(marginal->mixture->weight[k]);
        for (size_t i = 0; i < marginal->mixture->dims; i++) {
            double distance = offset(marginal, k, i, x_t[i]), variance = spread(marginal, k, i);
            share[k] -= 0.5 * (log(variance) + distance * distance / variance);
        }
        largest = fmax(largest, share[k]);
    }
    for (int k = 0; k < components; k++) {
        share[k] = exp(share[k] - largest);
        total += share[k];
    }
    for (int k = 0; k < components; k++)
        share[k] /= total;
}

static Marginal marginal_at(const Mixture *mixture, const Schedule *schedule, int t)
{
    assert(1 <= t && t <= schedule->timesteps);
    return (Marginal){.mixture = mixture,
                      .alpha_bar = schedule->alpha_bar[t],
                      .beta_bar = schedule->beta_bar[t],
                      .signal = sqrt(schedule->alpha_bar[t]),
                      .noise = sqrt(schedule->beta_bar[t])};
}

/* The mean and the variance of x_0 in dimension i, given x_t and component k. */
static inline double mean_of_x0(const Marginal *marginal, int k, size_t i, double x_t)
{
    const size_t at = (size_t)k * marginal->mixture->dims + i;
    return marginal->mixture->mean[at] + marginal->signal * marginal->mixture->variance[at] *
                                             offset(marginal, k, i, x_t) / spread(marginal, k, i);
}

static inline double variance_of_x0(const Marginal *marginal, int k, size_t i)
{
    const size_t at = (size_t)k * marginal->mixture->dims + i;
    return marginal->mixture->variance[at] * marginal->beta_bar / spread(marginal, k, i);
}

void mixture_covariance(const Mixture *mixture, const Schedule *schedule, int t, const double *x_t,
                        double *within, double *factor)
{
    const Marginal marginal = marginal_at(mixture, schedule, t);
    double share[MIXTURE_MAX_COMPONENTS], mean[MIXTURE_MAX_COMPONENTS];
    responsibilities(&marginal, x_t, share);
    for (size_t i = 0; i < mixture->dims; i++) {
        double overall = 0;
        within[i] = 0;
        for (int k = 0; k < mixture->components; k++) {
            mean[k] = mean_of_x0(&marginal, k, i, x_t[i]);
            overall += share[k] * mean[k];
            within[i] += share[k] * variance_of_x0(&marginal, k, i);
        }
        for (int k = 0; k < mixture->components; k++)
            factor[(size_t)k * mixture->dims + i] = sqrt(share[k]) * (mean[k] - overall);
    }
}

void mixture_moments(const Mixture *mixture, const Schedule *schedule, int t, const double *x_t,
                     double *eps, double *eps2, double *cov_x0)
{
    const Marginal marginal = marginal_at(mixture, schedule, t);
    double share[MIXTURE_MAX_COMPONENTS];
    responsibilities(&marginal, x_t, share);

    for (size_t i = 0; i < mixture->dims; i++) {
        /* Given x_t and component k, eps is Gaussian with mean noise offset / spread and variance
         * alpha_bar v / spread. */
        double mean[MIXTURE_MAX_COMPONENTS], overall = 0, within = 0, between = 0;
        for (int k = 0; k < mixture->components; k++) {
            double variance = mixture->variance[(size_t)k * mixture->dims + i];
            mean[k] = marginal.noise * offset(&marginal, k, i, x_t[i]) / spread(&marginal, k, i);
            overall += share[k] * mean[k];
            within += share[k] * marginal.alpha_bar * variance / spread(&marginal, k, i);
        }
        for (int k = 0; k < mixture->components; k++)
            between += share[k] * (mean[k] - overall) * (mean[k] - overall);
        if (eps)
            eps[i] = overall;
        if (eps2)
            eps2[i] = within + between + overall * overall;
        if (cov_x0)
            cov_x0[i] = marginal.beta_bar / marginal.alpha_bar * (within + between);
    }
}
