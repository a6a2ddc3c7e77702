/* The estimate of Cov[x_0 | x_t] for one image, by any variance.
 *
 * Estimates are made of the network's outputs, of the model's constants, and of the distribution of
 * the data if this is a known mixture. Options may change an estimate.
 */
#pragma once

#include "variance/variance.h"

/* The changes of an estimate, in this order. They apply neither to beta and beta_tilde nor
 * to variances that depend on s. */
typedef struct EstimateOptions {
    /* Replaces a head's estimate by its mean over the image: one number per x_t (the option avg_cov
     * of the published code). */
    bool average;
    /* Clips to [0, 1]. Data in [-1, 1] have at most variance 1. */
    bool clip;
    /* Raises elements below floor * (the mean over the image) to this value; from 0 to 1. Heads
     * fitted by least squares give many elements at or below 0, as if x_0 were known there.
     * Estimates that are positive by themselves (Variance.is_positive) stay as they are. */
    double floor;
    /* Multiplies the estimate; 0 or more. 1 changes nothing; 0 makes every estimate 0, as
     * for beta_tilde. */
    double scale;
} EstimateOptions;

/* The defaults: the clip alone, and scale 1. */
EstimateOptions estimate_defaults(void);

/* The inputs of estimates that do not depend on the image, and the options. All pointers are
 * borrowed. */
typedef struct EstimateSource {
    const Schedule *schedule;
    /* The number of elements of an image. */
    size_t dims;
    /* [N + 1], the constants of analytic; NULL: not known. */
    const double *ms_eps;
    /* [N + 1, dims], the constants of analytic_diag; NULL: not known. */
    const float *ms_eps_diag;
    /* The distribution of the data, for the variance true; NULL: not a mixture. */
    const Mixture *mixture;
    /* Whether x_0_hat is clipped to [-1, 1]; the variance true reads it. */
    bool clip_x0;
    /* The correlations of the variance that is_correlated; NULL: not known. */
    const BlockCorrelation *correlation;
    EstimateOptions options;
} EstimateSource;

/* Whether the estimate is one number for all elements of an image. */
bool estimate_is_scalar(const EstimateOptions *options, const Variance *variance);

/* Whether the estimate is always 0, as if x_0 were known: for beta_tilde, and with the scale 0. */
bool estimate_is_zero(const EstimateOptions *options, const Variance *variance);

/* Whether the errors of the mean can be compared with the estimate. The estimate must not be always
 * 0, and must not depend on s. */
bool estimate_has_calibration(const EstimateOptions *options, const Variance *variance);

/* An upper bound of all estimates under these options; INFINITY without the clip. Eigenvalues of a
 * covariance with correlations can be larger: by the number of elements of a block. */
double estimate_most(const EstimateOptions *options);

/* The name of a variance with its options, fit for the name of a file. It is "sn" for the defaults,
 * and for example "sn-average", "sn-floor0.03", "sn-average-x0.5" or "sn-floor0.03-x0.5" if options
 * change the estimate. The clip is not part of the name. */
typedef struct EstimateLabel {
    char text[128];
} EstimateLabel;
EstimateLabel estimate_label(const EstimateOptions *options, const Variance *variance);

/* The input of a variance for one image at timestep t, 1 <= t <= N.
 *   x_t, eps_hat [dims]  the image, and the network's prediction of the noise in it
 *   head [dims]          the raw output of the variance's head; NULL if it has none
 * All pointers are borrowed. */
VarianceInput estimate_input(const EstimateSource *source, int t, const float *x_t,
                             const float *eps_hat, const float *head);

/* cov [dims] := the estimate for one image at timestep t, after the options. For the
 * arguments see estimate_input(). The variance must not depend on s. A scalar estimate fills every
 * element. Several threads may call it at once. */
void estimate_cov_x0(const EstimateSource *source, const Variance *variance, int t,
                     const float *x_t, const float *eps_hat, const float *head, float *cov);
