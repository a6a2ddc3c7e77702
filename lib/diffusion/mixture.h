/* A Gaussian mixture as data: the data set whose every moment is known.
 *
 * When x_0 comes from sum_k w_k N(m_k, diag(v_k)), then x_t does from
 * sum_k w_k N(sqrt(alpha_bar) m_k, diag(alpha_bar v_k + beta_bar)), and eps given x_t is again
 * a mixture of Gaussians. So E[eps | x_t] (what the network learns), E[eps^2 | x_t] (what an SN
 * head learns) and the diagonal of Cov[x_0 | x_t] (what all variances estimate) have closed
 * forms at any x_t and t: the truth that trained heads are tested against. The built-in mixture
 * also is the data set that needs no download.
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
    double *weight;   /* [components], sum 1 */
    double *mean;     /* [components, dims] */
    double *variance; /* [components, dims], positive */
} Mixture;

/* Allocates a mixture for the caller to fill, 1 to MIXTURE_MAX_COMPONENTS components. */
bool mixture_make(Mixture *mixture, int components, size_t dims, Error *error);
void mixture_free(Mixture *mixture);

/* The built-in mixture over images [resolution, resolution, channels]: five smooth templates
 * with unequal weights. The brighter a pixel of a template, the more it varies, each template
 * by its own amounts, over more than a factor of ten, so that Cov[x_0 | x_t] varies from pixel to
 * pixel. Means lie within +-0.41 and standard deviations within 0.02 .. 0.31, so that values outside
 * [-1, 1] are rare (1.9 standard deviations off at the least). The closed
 * forms hold for these images as they are: not flipped, not rounded to grey levels. */
bool mixture_builtin(Mixture *mixture, int resolution, int channels, Error *error);

/* image [dims] := sample `index` of the stream that `seed` names, a pure function of both. */
void mixture_sample(const Mixture *mixture, uint64_t seed, uint32_t index, float *image);

/* Which component that sample is from, 0 .. components - 1. */
int mixture_component(const Mixture *mixture, uint64_t seed, uint32_t index);

/* Exact moments given one x_t [dims] at timestep t, 1 <= t <= N; outputs [dims], each may be
 * NULL: E[eps | x_t], E[eps^2 | x_t], and the diagonal of Cov[x_0 | x_t]. The last is summed
 * from positive terms, not taken as (beta_bar / alpha_bar)(E[eps^2] - E[eps]^2), which cancels
 * at small t. */
void mixture_moments(const Mixture *mixture, const Schedule *schedule, int t, const double *x_t,
                     double *eps, double *eps2, double *cov_x0);
