/* Trials: all shares at a small ridge, then other ridges at the best share. Each trial begins where
 * the one before it ended, so that most of them take a step or two. */
#include "stats/gamma_shrinkage.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* In the order of the trials. */
static const double shares[] = {0, 0.01, 0.1, 1};
static const double first_ridge = 1e-5, other_ridges[] = {1e-4, 1e-3, 1e-2};
/* Taken if there are no held-out rows. */
static const double middling_share = 0.1, middling_ridge = 1e-4;
/* Of the loss, in nats: of trials, whose losses on held-out rows differ by more, and of solutions. */
static const double rough_tolerance = 1e-5, tolerance = 1e-6;

enum {
    SHARES = sizeof shares / sizeof shares[0],
    RIDGES = sizeof other_ridges / sizeof other_ridges[0],
};

typedef struct Search {
    const GammaBin *bin;
    size_t features;
    /* [P]: the current trial, and the best one with its loss. */
    double *trial, *best;
    double least;
    Shrinkage chosen;
} Search;

static bool solve(const GammaBin *bin, Shrinkage shrinkage, double wanted, double *w, Error *error)
{
    assert(bin->center || shrinkage.borrow == 0);
    if (bin->center && shrinkage.borrow >= 1) {
        memcpy(w, bin->center, (size_t)bin->own->features * sizeof *w);
        return true;
    }
    const GammaProblem problem = {.rows = bin->own,
                                  .r = bin->r,
                                  .weight = bin->weight,
                                  .fisher = bin->fisher,
                                  .ridge = shrinkage.ridge,
                                  .pull = shrinkage.borrow / (1 - shrinkage.borrow),
                                  .center = bin->center,
                                  .matrix = bin->all_fisher,
                                  .tolerance = wanted};
    GammaFit fit;
    return gamma_regression_fit(&problem, w, &fit, error);
}

bool gamma_shrinkage_solve(const GammaBin *bin, Shrinkage shrinkage, double *w, Error *error)
{
    return solve(bin, shrinkage, tolerance, w, error);
}

static void keep(Search *s, Shrinkage shrinkage, double loss)
{
    s->least = loss;
    s->chosen = shrinkage;
    memcpy(s->best, s->trial, s->features * sizeof(double));
}

/* *better := whether the shrinkage has a lower held-out loss than all before. */
static bool try_out(Search *s, Shrinkage shrinkage, bool *better, Error *error)
{
    double loss;
    if (!solve(s->bin, shrinkage, rough_tolerance, s->trial, error) ||
        !gamma_regression_loss(s->bin->held, s->bin->held_r, s->bin->held_weight, s->trial, &loss,
                               error))
        return false;
    *better = loss < s->least; /* false if the loss is NaN */
    if (*better)
        keep(s, shrinkage, loss);
    return true;
}

/* A loss that rises with the share or with the ridge goes on rising, so the trials end there. A bin whose
 * own rows say nothing of a feature may have an infinite loss alone. */
static bool search(Search *s, double ridge, Error *error)
{
    const int count = s->bin->center ? SHARES : 1;
    bool better = true;
    for (int i = 0; i < count && (better || s->least == INFINITY); i++)
        if (!try_out(s, (Shrinkage){.ridge = ridge < 0 ? first_ridge : ridge, .borrow = shares[i]},
                     &better, error))
            return false;
    const double share = s->chosen.borrow;
    better = ridge < 0 && share < 1;
    memcpy(s->trial, s->best, s->features * sizeof(double));
    for (int i = 0; i < RIDGES && better; i++)
        if (!try_out(s, (Shrinkage){.ridge = other_ridges[i], .borrow = share}, &better, error))
            return false;
    return s->least < INFINITY ||
           error_runtime(error, "the held-out rows of a regression are not finite");
}

static size_t rows_of(const GammaRows *rows)
{
    return rows->first(rows->context, rows->chunks);
}

bool gamma_shrinkage_fit(const GammaBin *bin, double ridge, Shrinkage *chosen, double *w,
                         Error *error)
{
    const size_t features = (size_t)bin->own->features;
    Search s = {.bin = bin,
                .features = features,
                .trial = memory_small(features, sizeof(double)),
                .best = w,
                .least = INFINITY};
    Shrinkage middling = {.ridge = ridge < 0 ? middling_ridge : ridge,
                          .borrow = bin->center ? middling_share : 0};
    bool ok = true;
    memcpy(s.trial, w, features * sizeof(double));
    if (rows_of(bin->own) == 0 && bin->center)
        middling.borrow = 1;
    if (rows_of(bin->held) > 0 && rows_of(bin->own) > 0)
        ok = search(&s, ridge, error);
    else if ((ok = gamma_shrinkage_solve(bin, middling, s.trial, error)))
        keep(&s, middling, 0);
    *chosen = s.chosen;
    memory_free(s.trial);
    return ok;
}
