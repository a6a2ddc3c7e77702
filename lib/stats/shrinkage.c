/* The choice of ridge and share for least squares, by held-out loss (shrinkage.h).
 *
 * All targets are solved together for each trial. The targets of a kind share their choice, and
 * different kinds choose independently. A trial is one Cholesky factorisation; it reads sums, not
 * observations.
 */
#include "stats/shrinkage.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* The shares (`borrow`) and ridges to try. */
static const double shares[] = {0, 0.003, 0.03, 0.3, 1};
static const double first_ridge = 1e-5, other_ridges[] = {1e-7, 1e-4, 1e-3, 1e-2};
/* Taken if there are no held-out observations. */
static const double middling_share = 0.1, middling_ridge = 1e-4;

enum {
    SHARES = sizeof shares / sizeof shares[0],
    RIDGES = sizeof other_ridges / sizeof other_ridges[0],
};

typedef struct Search {
    const NormalSums *own, *all, *held;
    int outputs, kinds;
    /* [kinds]: the best so far, and its loss. */
    Shrinkage *chosen;
    double *least;
    /* [targets, features]: the weights of the best so far, and of the current trial. */
    double *w;
    double *trial;
} Search;

/* The held-out loss of the trial, summed over the targets of a kind. */
static double loss_of_kind(const Search *s, int kind)
{
    double sum = 0;
    for (int k = kind * s->outputs; k < (kind + 1) * s->outputs; k++)
        sum += normal_sums_loss(s->held, k, s->trial + (size_t)k * (size_t)s->held->features);
    return sum;
}

/* Solves with a shrinkage, and keeps the result for every kind whose held-out loss it lowers.
 * Unless `open`, only kinds that have chosen the same share take part. */
static bool try_out(Search *s, Shrinkage shrinkage, bool open, Error *error)
{
    const size_t size = (size_t)s->outputs * (size_t)s->own->features;
    if (!least_squares_solve(s->own, s->all, shrinkage, s->trial, &shrinkage.ridge, error))
        return false;
    for (int kind = 0; kind < s->kinds; kind++) {
        const double loss = loss_of_kind(s, kind);
        if ((!open && s->chosen[kind].borrow != shrinkage.borrow) || !(loss < s->least[kind]))
            continue; /* also if the loss is NaN */
        s->least[kind] = loss;
        s->chosen[kind] = shrinkage;
        memcpy(s->w + (size_t)kind * size, s->trial + (size_t)kind * size, size * sizeof(double));
    }
    return true;
}

/* Whether any kind has chosen this share. */
static bool is_chosen(const Search *s, double borrow)
{
    for (int kind = 0; kind < s->kinds; kind++)
        if (s->chosen[kind].borrow == borrow)
            return true;
    return false;
}

/* Tries all shares at the first ridge, then the other ridges at the chosen shares. */
static bool search(Search *s, double ridge, Error *error)
{
    const int count = s->all ? SHARES : 1;
    for (int i = 0; i < count; i++)
        if (!try_out(s, (Shrinkage){.ridge = ridge < 0 ? first_ridge : ridge, .borrow = shares[i]},
                     true, error))
            return false;
    for (int i = 0; i < count && ridge < 0; i++)
        for (int r = 0; r < RIDGES && is_chosen(s, shares[i]); r++)
            if (!try_out(s, (Shrinkage){.ridge = other_ridges[r], .borrow = shares[i]}, false,
                         error))
                return false;
    return true;
}

/* Solves with the middling ridge and share: there are no held-out observations. */
static bool take_middling(Search *s, double ridge, Error *error)
{
    Shrinkage shrinkage = {.ridge = ridge < 0 ? middling_ridge : ridge,
                           .borrow = s->all ? middling_share : 0};
    const bool ok = least_squares_solve(s->own, s->all, shrinkage, s->w, &shrinkage.ridge, error);
    for (int kind = 0; kind < s->kinds; kind++)
        s->chosen[kind] = shrinkage;
    return ok;
}

bool shrinkage_fit(const NormalSums *own, const NormalSums *all, const NormalSums *held,
                   int outputs, double ridge, Shrinkage *chosen, double *w, Error *error)
{
    const int kinds = own->targets / outputs;
    Search s = {.own = own,
                .all = all,
                .held = held,
                .outputs = outputs,
                .kinds = kinds,
                .chosen = chosen,
                .w = w,
                .least = memory_small((size_t)kinds, sizeof(double)),
                .trial =
                    memory_small((size_t)own->targets * (size_t)own->features, sizeof(double))};
    for (int kind = 0; kind < kinds; kind++)
        s.least[kind] = INFINITY;
    bool ok = *held->count > 0 ? search(&s, ridge, error) : take_middling(&s, ridge, error);
    for (int kind = 0; ok && *held->count > 0 && kind < kinds; kind++)
        if (s.least[kind] == INFINITY)
            ok = error_runtime(error, "the held-out sums of least squares are not finite");
    memory_free(s.least);
    memory_free(s.trial);
    return ok;
}
