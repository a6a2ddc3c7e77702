/* Cov[x_0 | x_t] of one image by any variance, from all that a model knows: its network's outputs, its
 * constants, and where the data are a mixture, the truth.
 */
#pragma once

#include "diffusion/mixture.h"
#include "diffusion/variance.h"

/* What estimates are made of besides the network's outputs, and how. */
typedef struct EstimateSource {
    const Schedule *schedule;
    size_t dims;              /* elements of an image */
    const double *ms_eps;     /* [N + 1], analytic's; NULL where it is not known */
    const float *ms_eps_diag; /* [N + 1, dims], analytic_diag's, or NULL */
    const Mixture *mixture;   /* what the data are drawn from, for exact; NULL: something else */
    bool clip_x0;             /* x_0_hat to [-1, 1]; read by exact */
    bool clip_cov;            /* the estimate to [0, 1] */
    bool average_cov; /* a head's estimate becomes its mean over the image, before the clip: one
                               * number per x_t (option avg_cov of the published code) */
} EstimateSource;

/* Whether the estimate is one number for all elements of an image. */
bool estimate_is_scalar(const EstimateSource *source, VarianceKind kind);

/* "sn", or "sn-average" where average_cov makes it another variance. */
const char *estimate_label(const EstimateSource *source, VarianceKind kind);

/* cov [dims] := the estimate, of any kind, for one image at timestep t, 1 <= t <= N; a scalar one in every
 * element. x_t, eps_hat, head [dims]: head is the raw output of variance_head(kind), NULL for others. */
void estimate_cov_x0(const EstimateSource *source, VarianceKind kind, int t, const float *x_t,
                     const float *eps_hat, const float *head, float *cov);
