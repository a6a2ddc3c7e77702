/* What a network's output is trained to say: a table of objectives, one file for each.
 *
 *     eps  ||eps - eps_hat||^2           the mean, stage 1 (Ho et al. 2020, equation 14)
 *     npr  ||(eps - eps_hat)^2 - g||^2   g -> E[(eps - eps_hat)^2 | x_t]
 *     sn   ||eps^2 - h||^2               h -> E[eps^2 | x_t]
 *
 * (npr and sn: Bao et al. 2022b, arXiv 2206.07309; squares of vectors are elementwise.) A loss is summed
 * over the dimensions of an image and averaged over images. A head's objective takes eps_hat as a
 * constant: the only gradient is the one with respect to the head's output.
 *
 * To add an objective, write objective_<name>.c and add a line to OBJECTIVES below (docs/design.md,
 * "Adding a loss"). A file looks like this:
 *
 *     static void target(const ObjectiveInput *in, double *y)
 *     {
 *         for (size_t i = 0; i < in->dims; i++)
 *             y[i] = (double)in->eps[i] * in->eps[i];
 *     }
 *
 *     const Objective objective_sn = {.name = "sn", .target = target, ...};
 */
#pragma once

#include "base/error.h"
#include "diffusion/schedule.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest name, its end included. Names are joined to names of files and of groups. */
enum { OBJECTIVE_NAME_SIZE = 16 };

/* What is known of one image x_t when its loss is computed. The arrays belong to the caller. */
typedef struct ObjectiveInput {
    const Schedule *schedule;
    int t; /* 1 to N */
    size_t dims;
    /* [dims]: the noise in x_t. */
    const float *eps;
    /* [dims]: the network's prediction of it. NULL if the objective does not read it. */
    const float *eps_hat;
} ObjectiveInput;

/* Exactly one of `target` and `loss` is set. Functions must not depend on other images: they are
 * called for several images at a time. */
typedef struct Objective {
    /* Of the head too: of its groups in a checkpoint, its file stage2-<name>.h5, its rows in
     * metrics.csv. Lower-case letters, digits and underscores. */
    const char *name;
    /* For train --help, which adds the source in brackets. */
    const char *help, *source;
    /* Added to the seed of a run, for the first weights of a head that Adam trains. It is never 0,
     * which is the trunk's, and no two heads have the same, so that each head starts from numbers of
     * its own. Never change it: a seed would then mean another run. 0: it trains no head, and only
     * stage 1 can minimise it. */
    unsigned seed_offset;

    /* y [dims] := what the output should be. The loss is ||output - y||^2, so that a head can be solved for
     * as well as trained. */
    void (*target)(const ObjectiveInput *in, double *y);

    /* Any other loss of one image, for output [dims]. gradient [dims] := d loss / d output, unless it
     * is NULL. Only Adam can minimise it. */
    double (*loss)(const ObjectiveInput *in, const float *output, double *gradient);
} Objective;

/* The table, sorted by name: objective_<name> is defined in objective_<name>.c. */
#define OBJECTIVES(LINE)                                                                           \
    LINE(eps)                                                                                      \
    LINE(npr)                                                                                      \
    LINE(sn)

#define OBJECTIVE_DECLARE(name) extern const Objective objective_##name;
OBJECTIVES(OBJECTIVE_DECLARE)
#undef OBJECTIVE_DECLARE

/* The objectives of the table, OBJECTIVE_COUNT of them. */
#define OBJECTIVE_ONE(name) +1
enum { OBJECTIVE_COUNT = 0 OBJECTIVES(OBJECTIVE_ONE) };
#undef OBJECTIVE_ONE
extern const Objective *const objective_table[OBJECTIVE_COUNT];

/* Whether the loss is ||output - target||^2. Only such a loss has objective_targets. */
static inline bool objective_is_quadratic(const Objective *objective)
{
    return objective->target != NULL;
}

/* Whether stage 2 can fit a head to it. */
static inline bool objective_trains_head(const Objective *objective)
{
    return objective->seed_offset != 0;
}

/* Several images, at least one. The arrays belong to the caller. */
typedef struct ObjectiveBatch {
    const Schedule *schedule;
    size_t images, dims;
    const int *t;         /* [images] */
    const float *eps;     /* [images, dims] */
    const float *eps_hat; /* [images, dims], or NULL if the objective does not read it */
} ObjectiveBatch;

/* y [images, dims] := the targets of a quadratic objective, rounded to single precision. */
void objective_targets(const Objective *objective, const ObjectiveBatch *batch, float *y);

/* The mean loss of the images.
 *   output [images, dims]    the values to judge: eps_hat itself for eps, else a head's raw output
 *   each [images]            := the loss of each image
 *   gradient [images, dims]  := d mean / d output; NULL: not wanted
 * Targets, differences and sums are in double. Every sum has a fixed order, so that the result does
 * not depend on the number of threads. */
double objective_loss(const Objective *objective, const ObjectiveBatch *batch, const float *output,
                      double *each, float *gradient);
