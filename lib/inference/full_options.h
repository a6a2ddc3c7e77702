/* What the draws (full_noise.h) and the bounds (full_spectrum.h) of the variance full share: its
 * options, and the eigenvalues of its covariance.
 *
 *     Cov = (beta_bar / alpha_bar) (I - sqrt(beta_bar) S),    S = (J + J') / 2,  J = d eps_hat/d x_t
 *
 * (Tweedie's second formula; variance/full.c.) A covariance has no negative eigenvalue, and the mean
 * of its eigenvalues, which is the mean of the pixels' variances, is at most 1, since x_0 lies in
 * [-1, 1]. The Jacobian of a network may give others, above all where x_t is nearly all noise:
 * 1 / alpha_bar magnifies what the network is off by, to 10^9 times with the cosine schedule.
 * Negative eigenvalues count as 0, and the largest are lowered to one number, so that the mean is 1
 * (spectrum_most). Both are counted.
 */
#pragma once

#include "diffusion/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* The dimensions of a Krylov space, by default and at most. */
    FULL_DEFAULT_KRYLOV = 10,
    FULL_MOST_KRYLOV = 1000,
    /* The random vectors that a bound takes, by default and at most. */
    FULL_DEFAULT_PROBES = 2,
    FULL_MOST_PROBES = 1000,
    /* The most elements of an image whose Jacobian is computed as a whole. */
    FULL_MOST_DENSE = 1024,
};

typedef struct FullOptions {
    /* 0: the default. */
    int64_t krylov, probes;
    /* Whether bounds compute the Jacobian as a whole. */
    bool dense;
} FullOptions;

static inline int full_krylov(const FullOptions *options)
{
    return options->krylov > 0 ? (int)options->krylov : FULL_DEFAULT_KRYLOV;
}

static inline int full_probes(const FullOptions *options)
{
    return options->probes > 0 ? (int)options->probes : FULL_DEFAULT_PROBES;
}

/* Adds what differs from the defaults to a row's name [size]: "full-krylov20", "full-dense". */
void full_options_label(const FullOptions *options, char *label, size_t size);

/* The most that the mean of Cov's eigenvalues may be. */
static const double full_most_mean = 1;

/* The eigenvalues of Cov that have been seen, how many of them were negative, and how many were
 * lowered. */
typedef struct FullSeen {
    int64_t eigenvalues, negative, lowered;
} FullSeen;

/* The eigenvalue of Cov at timestep t that belongs to an eigenvalue of S, before the clip. */
static inline double full_eigenvalue(const Schedule *schedule, int t, double of_s)
{
    const double beta = schedule->beta_bar[t];
    return beta / schedule->alpha_bar[t] * (1 - sqrt(beta) * of_s);
}

/* Prints notes if eigenvalues were negative or lowered. `what`: the row, "full, 10 steps". */
void full_note_seen(FullSeen seen, const char *what);
