/* Cov[x_0 | x_t] of one image by any variance, from all that a model knows: its network's outputs, its
 * constants, and where the data are a mixture, the truth.
 */
#pragma once

#include "diffusion/mixture.h"
#include "variance/variance.h"

/* What is done to an estimate: first the average, then the clip, the floor, and the scale. beta and beta_tilde are
 * definitions, not estimates: nothing is done to them. */
typedef struct EstimateOptions {
    /* A head's estimate becomes its mean over the image: one number per x_t (option avg_cov of the
     * published code). */
    bool average;
    bool clip; /* to [0, 1] */
    /* 0 to 1: no element is less than this part of the mean over its image. Least squares leaves many at
     * or below zero, where they claim that x_0 is known. */
    double floor;
    double scale; /* 0 or more; 1 leaves it alone, 0 makes every estimate that of beta_tilde */
} EstimateOptions;

/* The defaults: the clip, and nothing else. */
EstimateOptions estimate_defaults(void);

/* What estimates are made of besides the network's outputs, and how. */
typedef struct EstimateSource {
    const Schedule *schedule;
    size_t dims;              /* elements of an image */
    const double *ms_eps;     /* [N + 1], analytic's; NULL where it is not known */
    const float *ms_eps_diag; /* [N + 1, dims], analytic_diag's, or NULL */
    const Mixture *mixture;   /* what the data are drawn from, for exact; NULL: something else */
    bool clip_x0;             /* x_0_hat to [-1, 1]; read by exact */
    EstimateOptions options;
} EstimateSource;

/* Whether the estimate is one number for all elements of an image. */
bool estimate_is_scalar(const EstimateOptions *options, VarianceKind kind);

/* Whether it says that x_0 is known: beta_tilde, and whatever has the scale 0. */
bool estimate_is_zero(const EstimateOptions *options, VarianceKind kind);

/* The largest that an estimate of any kind can be; INFINITY without the clip. */
double estimate_most(const EstimateOptions *options);

/* "sn", or "sn-average", "sn-floor0.03", "sn-average-x0.5", "sn-floor0.03-x0.5" where the options make it
 * another variance. It is fit for the name of a file. */
typedef struct EstimateLabel {
    char text[64];
} EstimateLabel;
EstimateLabel estimate_label(const EstimateOptions *options, VarianceKind kind);

/* cov [dims] := the estimate, of any kind, for one image at timestep t, 1 <= t <= N; a scalar one in every
 * element. x_t, eps_hat, head [dims]: head is the raw output of variance_head(kind), NULL for others. */
void estimate_cov_x0(const EstimateSource *source, VarianceKind kind, int t, const float *x_t,
                     const float *eps_hat, const float *head, float *cov);
