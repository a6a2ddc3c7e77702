/* A variance of the reverse process. varhead compares variances.
 *
 * A variance is a constant struct: its name, its inputs, and functions on arrays. Every program
 * gets its lists, checks and help from the table VARIANCES below. To add a variance, write a file
 * in this folder that defines the struct, and add a line to the table. The simplest file is npr.c.
 *
 * Most variances estimate the diagonal of Cov[x_0 | x_t]. The estimate does not depend on s. It
 * gives each reverse step t -> s the variance lambda^2 + gain * Cov (Bao et al. 2022a, 2022b;
 * diffusion/reverse.h):
 *
 *     Cov[x_0 | x_t] = (beta_bar_t / alpha_bar_t) u
 *     beta           Cov = beta_bar_t, as if x_0 were N(0, I)
 *     beta_tilde     Cov = 0, as if x_0 were known
 *     analytic       u = 1 - E||eps_hat||^2 / d    one number per timestep, measured beforehand
 *     analytic_diag  u = 1 - E[eps_hat_i^2]        the same for each dimension
 *     sn             u = h - eps_hat^2             a head's h estimates E[eps^2 | x_t]
 *     npr            u = g                         a head's g estimates E[(eps - eps_hat)^2 | x_t]
 *     nll            u = exp(l) - SNR_t / SNR_1    a head's l minimises the likelihood's loss
 *     ocm            u = 1 + o                     a head's o estimates -sqrt(beta_bar) diag J
 *     gms            as sn; its noise is a mixture of two Gaussians (gms.c)
 *     true           Cov = E[(x_0 - x_0_hat)^2 | x_t], known if the data are a Gaussian mixture
 *
 * The estimate may be the diagonal of a covariance with correlations between neighbouring pixels
 * (is_correlated, variance/block_covariance.h).
 *
 * The variance full is not diagonal at all: the sampler draws its noise (reads_jacobian).
 *
 * Other variances depend on s as well (depends_on_step). They give the variance of a step itself:
 *
 *     learned        between beta and beta_tilde, where a second output of the network says
 */
#pragma once

#include "base/error.h"
#include "diffusion/mixture.h"
#include "diffusion/reverse.h"
#include "variance/block_covariance.h"

#include <stddef.h>

/* The data of one image at timestep t, 1 <= t <= N. A pointer may be NULL if the variance does not
 * need it. Arrays are borrowed for the call. */
typedef struct VarianceInput {
    const Schedule *schedule;
    int t;
    /* The number of elements of an image. */
    size_t dims;
    /* [dims]: the image, and the network's prediction of the noise in it. */
    const float *x_t, *eps_hat;
    /* [dims]: the raw output of the variance's head, or the network's second output. */
    const float *head;
    /* [dims]: the raw output of the head that `draw` reads. */
    const float *draw_head;
    /* [N + 1]: E||eps_hat(x_t, t)||^2 / d, the constants "ms_eps". */
    const double *ms_eps;
    /* [N + 1, dims]: E[eps_hat_i^2], the constants "ms_eps_diag". */
    const float *ms_eps_diag;
    /* The distribution of the data. */
    const Mixture *mixture;
    /* Whether the step's mean clips x_0_hat to [-1, 1]. */
    bool clip_x0;
    /* The correlations within blocks of pixels. */
    const BlockCorrelation *correlation;
} VarianceInput;

typedef struct Variance {
    /* "sn"; for options, tables and names of files. */
    const char *name;
    /* A former name that programs still accept; NULL: none. */
    const char *alias;
    /* A few words for --help, and the paper. */
    const char *help, *source;
    /* The head that the variance reads, "sn", or "learned" for the second output of the network;
     * NULL: none. */
    const char *head;
    /* Another head, which `draw` alone reads; NULL: none. */
    const char *draw_head;
    /* Why there is no bound with this variance, as the rest of a sentence; NULL: there is one. */
    const char *no_bound;
    /* The array of a checkpoint's group /analytic that the variance reads, "ms_eps"; NULL: none. */
    const char *constants;
    /* Whether the distribution of the data must be a known mixture. */
    bool needs_mixture;
    /* Whether the estimate is the diagonal of a covariance with the correlations that the head was
     * fitted with (variance/block_covariance.h). The bound then uses eigenvalues and rotated
     * residuals, and `draw` is variance_draw_correlated. */
    bool is_correlated;
    /* Whether steps of DDIM can't have the variance, though it is not fixed. */
    bool is_ddpm_only;
    /* Whether the estimate is above 0 by itself. Then the option of a floor leaves it as it is, and
     * one comparison has heads of least squares with a floor beside it. */
    bool is_positive;
    /* Set for a variance that depends on the schedule alone: is_fixed, and its share of beta. */
    ReverseVariance step;
    /* Whether all elements of an image have the same estimate. */
    bool is_scalar;
    /* cov [dims] := the estimate of Cov[x_0 | x_t], before the options (variance/estimate.h). It
     * may be negative, or larger than data in [-1, 1] can have. NULL for a fixed variance, and if
     * depends_on_step. */
    void (*cov)(const VarianceInput *input, float *cov);
    /* Whether the variance depends on s as well as on t. Then it is not fixed, and it has
     * step_variance unless it reads_jacobian. The bound evaluates it for each cell, so dp has no
     * tables of it. It has no options and no calibration. */
    bool depends_on_step;
    /* Whether the noise of a step comes from products with the network's Jacobian, which the
     * sampler makes (inference/full_noise.h). Such a variance has none of the functions. Lists of
     * all variances leave it out, since it takes many passes: it must be asked for. */
    bool reads_jacobian;
    /* variance [dims] := the variance of x_s in the step t -> s, s > 0. NULL unless depends_on_step,
     * and if reads_jacobian. */
    void (*step_variance)(const VarianceInput *input, const ReverseStep *step, double *variance);
    /* noise [dims] := the noise that the step adds to the mean, for covariances that are not
     * diagonal. NULL: the noise is sqrt(variance) z.
     *   z [dims]    N(0, I) numbers
     *   cov [dims]  the estimate after the options; NULL if depends_on_step
     * The function must apply the step's max_variance itself. */
    void (*draw)(const VarianceInput *input, const ReverseStep *step, const float *cov,
                 const float *z, float *noise);
} Variance;

/* -- The table -------------------------------------------------------------------------------- */

/* All variances, in the order of lists. Add new lines at the end: stored keys contain a variance's
 * index in this table. */
#define VARIANCES(VARIANCE)                                                                        \
    VARIANCE(variance_beta)                                                                        \
    VARIANCE(variance_beta_tilde)                                                                  \
    VARIANCE(variance_analytic)                                                                    \
    VARIANCE(variance_analytic_diag)                                                               \
    VARIANCE(variance_sn)                                                                          \
    VARIANCE(variance_npr)                                                                         \
    VARIANCE(variance_true)                                                                        \
    VARIANCE(variance_nll)                                                                         \
    VARIANCE(variance_nll_block)                                                                   \
    VARIANCE(variance_gms)                                                                         \
    VARIANCE(variance_learned)                                                                     \
    VARIANCE(variance_ocm)                                                                         \
    VARIANCE(variance_full)

#define VARIANCE_DECLARATION(variance) extern const Variance variance;
VARIANCES(VARIANCE_DECLARATION)
#undef VARIANCE_DECLARATION

#define VARIANCE_ONE(variance) +1
enum { VARIANCE_COUNT = 0 VARIANCES(VARIANCE_ONE) };
#undef VARIANCE_ONE

/* [VARIANCE_COUNT] */
extern const Variance *const variance_table[];

/* The index of a variance in the table; -1 if it is not in the table. */
int variance_index(const Variance *variance);

/* The variance with this name or former name. An input error lists the names. */
bool variance_parse(const char *name, const Variance **variance, Error *error);

/* Whether these options and the variance make a step. An input error for impossible options
 * (reverse_check), and for DDIM with a fixed variance above lambda^2. */
bool variance_check_step(const Variance *variance, const ReverseOptions *options, Error *error);

/* Whether the variance has bounds. An input error says why not. */
bool variance_check_bound(const Variance *variance, Error *error);

/* Leaves out those of `variances` [count] that have no tables for dp, since they depend on s.
 * Returns how many are left. */
int variances_with_tables(const Variance **variances, int count);

/* -- Facts ------------------------------------------------------------------------------------ */

/* The `draw` of a variance that is_correlated. */
void variance_draw_correlated(const VarianceInput *input, const ReverseStep *step, const float *cov,
                              const float *z, float *noise);

/* Whether the variance depends on the schedule alone, as beta and beta_tilde do. */
static inline bool variance_is_fixed(const Variance *variance)
{
    return variance->step.is_fixed;
}

/* Whether the variance takes x_0 to be known, as beta_tilde does. */
static inline bool variance_knows_x0(const Variance *variance)
{
    return variance->step.is_fixed && variance->step.beta_share == 0;
}

/* The estimate of Cov[x_0 | x_t] that a fixed variance amounts to (fixed.c). */
static inline double variance_fixed_cov(const Variance *variance, const Schedule *schedule, int t)
{
    return variance->step.beta_share * schedule->beta_bar[t];
}

/* cov clipped to [0, 1], by comparisons: fmin and fmax would hide a NaN. */
static inline double variance_clipped(double cov)
{
    return cov < 0 ? 0 : cov > 1 ? 1 : cov;
}

/* The factor beta_bar_t / alpha_bar_t of u. In double: it reaches 10^8. */
static inline double variance_factor(const VarianceInput *input)
{
    return input->schedule->beta_bar[input->t] / input->schedule->alpha_bar[input->t];
}
