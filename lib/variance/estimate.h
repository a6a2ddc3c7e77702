/* Cov[x_0 | x_t] of one image by any variance, from everything that a model knows: its network's outputs, its
 * constants, and the distribution of the data where that is a known mixture. Options may change the estimate.
 */
#pragma once

#include "variance/variance.h"

/* Changes of an estimate, in this order. beta, beta_tilde and
 * variances that depend on s are no estimates: they stay as they are. */
typedef struct EstimateOptions {
    /* A head's estimate becomes its mean over the image: one number per x_t (option avg_cov of the published code). */
    bool average;
    /* To [0, 1]: data in [-1, 1] have at most variance 1. */
    bool clip;
    /* 0 to 1: elements below this part of the mean over the image are raised to it. Least squares leaves many at or
     * below zero, where they claim that x_0 is known. */
    double floor;
    /* 0 or more; 1 changes nothing, 0 makes every estimate that of beta_tilde. */
    double scale;
} EstimateOptions;

/* The defaults: the clip, and nothing else. */
EstimateOptions estimate_defaults(void);

/* Everything that estimates are made of besides the network's outputs, and the options. Pointers are borrowed. */
typedef struct EstimateSource {
    const Schedule *schedule;
    /* Elements of an image. */
    size_t dims;
    /* [N + 1], for analytic; NULL: not known. */
    const double *ms_eps;
    /* [N + 1, dims], for analytic_diag; NULL: not known. */
    const float *ms_eps_diag;
    /* The distribution of the data, for true; NULL: no mixture. */
    const Mixture *mixture;
    /* Whether x_0_hat is clipped to [-1, 1]; read by true. */
    bool clip_x0;
    EstimateOptions options;
} EstimateSource;

/* Whether the estimate is one number for all elements of an image. */
bool estimate_is_scalar(const EstimateOptions *options, const Variance *variance);

/* Whether the estimate says that x_0 is known: beta_tilde, and estimates with the scale 0. */
bool estimate_is_zero(const EstimateOptions *options, const Variance *variance);

/* Whether errors of the mean can be compared with it: it is no zero, and does not depend on s. */
bool estimate_has_calibration(const EstimateOptions *options, const Variance *variance);

/* The upper bound of all estimates; INFINITY without the clip. */
double estimate_most(const EstimateOptions *options);

/* "sn", or "sn-average", "sn-floor0.03", "sn-average-x0.5", "sn-floor0.03-x0.5" where the options make it another
 * variance. It is fit for the name of a file. */
typedef struct EstimateLabel {
    char text[64];
} EstimateLabel;
EstimateLabel estimate_label(const EstimateOptions *options, const Variance *variance);

/* The variance's input for one image at timestep t, 1 <= t <= N. x_t, eps_hat, head [dims]; head is the raw output of
 * variance->head, NULL for variances without one. All pointers are borrowed. */
VarianceInput estimate_input(const EstimateSource *source, int t, const float *x_t,
                             const float *eps_hat, const float *head);

/* cov [dims] := the estimate for one image at timestep t, of a variance that does not depend on s; a scalar estimate fills every element. Arguments as above.
 * Safe in several threads at once. */
void estimate_cov_x0(const EstimateSource *source, const Variance *variance, int t,
                     const float *x_t, const float *eps_hat, const float *head, float *cov);
