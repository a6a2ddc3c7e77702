/* A mixture of Gaussians as data: a data set with known moments.
 *
 * If x_0 is distributed as sum_k w_k N(m_k, diag(v_k)), then x_t is distributed as
 * sum_k w_k N(sqrt(alpha_bar) m_k, diag(alpha_bar v_k + beta_bar)), and eps given x_t is again a
 * mixture of Gaussians. So three functions have closed forms at every x_t and t:
 *
 *     E[eps | x_t]                       the network learns it
 *     E[eps^2 | x_t]                     an SN head learns it
 *     the diagonal of Cov[x_0 | x_t]     all variances estimate it
 *
 * Tests compare trained heads with these closed forms. The built-in mixture is also the data set
 * that needs no download.
 */
#pragma once

#include "base/error.h"
#include "diffusion/schedule.h"

#include <stddef.h>
#include <stdint.h>

enum { MIXTURE_MAX_COMPONENTS = 16 };

typedef struct Mixture {
    int components;
    size_t dims;
    /* [components], with sum 1. */
    double *weight;
    /* [components, dims] */
    double *mean;
    /* [components, dims], positive. */
    double *variance;
} Mixture;

/* Allocates the arrays of a mixture, 1 <= components <= MIXTURE_MAX_COMPONENTS. The caller fills
 * them, and frees them with mixture_free. Fails for want of memory. */
bool mixture_make(Mixture *mixture, int components, size_t dims, Error *error);
void mixture_free(Mixture *mixture);

/* Makes the built-in mixture over images [resolution, resolution, channels]: five smooth templates
 * with unequal weights. The standard deviation of a pixel grows with its brightness. Each template
 * has its own range of standard deviations; together they span more than a factor of ten, so that
 * Cov[x_0 | x_t] varies from pixel to pixel. Means lie within +-0.41, and standard deviations
 * within 0.02 .. 0.31. So values outside [-1, 1] are rare: they are at least 1.9 standard
 * deviations from the mean. The closed forms hold for the images as they are drawn, neither flipped
 * nor rounded to grey levels. The caller frees the mixture with mixture_free. Fails for want of
 * memory. */
bool mixture_builtin(Mixture *mixture, int resolution, int channels, Error *error);

/* image [dims] := sample `index` of the stream `seed`. The sample depends on the mixture and these
 * two numbers alone. */
void mixture_sample(const Mixture *mixture, uint64_t seed, uint32_t index, float *image);

/* The component, 0 .. components - 1, from which mixture_sample() draws this sample. */
int mixture_component(const Mixture *mixture, uint64_t seed, uint32_t index);

/* The exact moments given one x_t [dims] at timestep t, 1 <= t <= N. Each output may be NULL.
 *   eps [dims]     := E[eps | x_t]
 *   eps2 [dims]    := E[eps^2 | x_t]
 *   cov_x0 [dims]  := the diagonal of Cov[x_0 | x_t]
 * cov_x0 is a sum of positive terms. The formula (beta_bar / alpha_bar) (E[eps^2] - E[eps]^2) would
 * cancel at small t. */
void mixture_moments(const Mixture *mixture, const Schedule *schedule, int t, const double *x_t,
                     double *eps, double *eps2, double *cov_x0);

/* The exact Cov[x_0 | x_t], which is not diagonal: x_t leaves open from which component x_0 comes.
 *
 *     Cov = diag(within) + sum_k factor_k factor_k'
 *
 * within [dims] is the mean of the components' variances, factor [components, dims] the offsets of
 * their means, times the roots of the components' probabilities. */
void mixture_covariance(const Mixture *mixture, const Schedule *schedule, int t, const double *x_t,
                        double *within, double *factor);
