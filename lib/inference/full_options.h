/* What the draws (full_noise.h) and the bounds (full_spectrum.h) of the variance full share: its
 * options, and the eigenvalues of its covariance.
 *
 *     Cov = (beta_bar / alpha_bar) (I - sqrt(beta_bar) S),    S = (J + J') / 2,  J = d eps_hat/d x_t
 *
 * (Tweedie's second formula; variance/full.c.) A covariance has no negative eigenvalue, but the
 * Jacobian of a network may give some. They count as 0, and are counted.
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

/* The eigenvalues of Cov that have been seen, and how many of them were negative. */
typedef struct FullSeen {
    int64_t eigenvalues, negative;
} FullSeen;

/* The eigenvalue of Cov at timestep t that belongs to an eigenvalue of S, before the clip. */
static inline double full_eigenvalue(const Schedule *schedule, int t, double of_s)
{
    const double beta = schedule->beta_bar[t];
    return beta / schedule->alpha_bar[t] * (1 - sqrt(beta) * of_s);
}

/* Prints a note if eigenvalues were negative. `what`: the row, "full, 10 steps". */
void full_note_negative(FullSeen seen, const char *what);
