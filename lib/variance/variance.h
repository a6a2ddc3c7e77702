/* The variances of the reverse process that varhead compares.
 *
 * Every one of them is an estimate of the diagonal of Cov[x_0 | x_t], and gives a reverse step the variance
 * lambda^2 + gain * Cov (Bao et al. 2022a, 2022b). They differ in where the estimate comes from:
 *
 *     Cov[x_0 | x_t] = (beta_bar_t / alpha_bar_t) u
 *     beta           Cov = beta_bar_t, as if x_0 were N(0, I)       (Ho et al. 2020: beta_{t|s})
 *     beta_tilde     Cov = 0, as if x_0 were known                  (Ho et al. 2020: beta_tilde_{s|t})
 *     analytic       u = 1 - E||eps_hat||^2 / d   one number per timestep, measured beforehand
 *     analytic_diag  u = 1 - E[eps_hat_i^2]   likewise, one number per timestep and dimension
 *     sn             u = h - eps_hat^2            h, a head's output, estimates E[eps^2 | x_t]
 *     npr            u = g                        g, a head's output, estimates
 *                                                 E[(eps - eps_hat)^2 | x_t]
 *     exact          Cov = E[(x_0 - x_0_hat)^2 | x_t], the best that can be said of a step to whose mean
 *                    the network's x_0_hat leads: known where the data are a mixture of Gaussians.
 *                    If the network is perfect it is Cov[x_0 | x_t] itself.
 *
 * That beta_{t|s} is lambda^2 + gain beta_bar_t, whatever s, one finds by putting the coefficients in.
 *
 * To add a variance: a kind, its row in the table of variance.c, its u.
 */
#pragma once

#include "base/error.h"
#include "diffusion/reverse.h"

#include <stddef.h>

typedef enum VarianceKind {
    VARIANCE_BETA,       /* beta_{t|s}; DDPM only */
    VARIANCE_BETA_TILDE, /* lambda^2: beta_tilde_{s|t} for DDPM */
    VARIANCE_ANALYTIC,
    VARIANCE_ANALYTIC_DIAG,
    VARIANCE_SN,
    VARIANCE_NPR,
    VARIANCE_EXACT,
} VarianceKind;

enum { VARIANCE_KINDS = VARIANCE_EXACT + 1 };

/* "beta", "beta_tilde", "analytic", "analytic_diag", "sn", "npr", "exact"; and the kind of a name (an
 * input error lists the names). */
const char *variance_name(VarianceKind kind);
bool variance_parse(const char *name, VarianceKind *kind, Error *error);

/* Whether the schedule alone gives the variance: beta and beta_tilde. */
bool variance_is_fixed(VarianceKind kind);

/* What it makes of the variance of a reverse step. */
ReverseVariance variance_in_step(VarianceKind kind);

/* The head whose output the variance reads, "sn" or "npr"; NULL if it needs none. */
const char *variance_head(VarianceKind kind);

/* Bounded to [0, 1]. By comparisons, not fmin and fmax: those would hide a NaN. */
static inline double variance_clipped(double cov)
{
    return cov < 0 ? 0 : cov > 1 ? 1 : cov;
}

/* cov [count] := the diagonal of Cov[x_0 | x_t] by analytic, analytic_diag, sn or npr, for one image
 * (or several at the same t).
 *   eps_hat [count]  the network's prediction, read by sn, else NULL is fine
 *   head [count]     the raw output of the head variance_head(kind); for analytic_diag the
 *                    E[eps_hat_i^2] of timestep t instead; else NULL
 *   ms_eps           E||eps_hat(x_t, t)||^2 / d, read by analytic
 *   clip             bounds the result to [0, 1]: data in [-1, 1] has at most variance 1.
 * Without the clip it may be negative, since nothing keeps a head's h above eps_hat^2. */
void variance_cov_x0(VarianceKind kind, const Schedule *schedule, int t, const float *eps_hat,
                     const float *head, double ms_eps, bool clip, size_t count, float *cov);
