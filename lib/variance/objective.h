/* The objectives that networks and heads are trained with: a table, with one file for each.
 *
 *     eps  ||eps - eps_hat||^2           the mean, stage 1 (Ho et al. 2020, equation 14)
 *     gms  ||eps^3 - m||^2               m -> E[eps^3 | x_t] (Guo et al. 2023)
 *     nll  sum l + r exp(-l)             the likelihood: exp(l) -> E[r | x_t] (objective_nll.c)
 *     npr  ||(eps - eps_hat)^2 - g||^2   g -> E[(eps - eps_hat)^2 | x_t]
 *     ocm  ||-sqrt(beta_bar) v o (J'v) - o||^2   o -> -sqrt(beta_bar) diag J (Ou et al. 2024)
 *     sn   ||eps^2 - h||^2               h -> E[eps^2 | x_t]
 *     vlb  the bound's term of t         a learned variance, stage 1 (objective_vlb.c)
 *
 * (npr and sn: Bao et al. 2022b, arXiv 2206.07309. Squares of vectors are elementwise.) A loss is a
 * sum over the dimensions of an image, and a mean over images. The objective of a head takes
 * eps_hat as a constant: its only gradient is the one with respect to the head's output.
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

/* The size of the longest name, with its terminating 0. Names become parts of the names of files
 * and groups. */
enum { OBJECTIVE_NAME_SIZE = 16 };

/* The data of one image x_t that its loss depends on. The arrays belong to the caller. */
typedef struct ObjectiveInput {
    const Schedule *schedule;
    /* The timestep, 1 to N. */
    int t;
    /* The number of elements of an image. */
    size_t dims;
    /* [dims]: the noise in x_t. */
    const float *eps;
    /* [dims]: the network's prediction of eps. NULL if the objective does not read it. */
    const float *eps_hat;
    /* [dims]: the image without noise. Only vlb and objectives with a `ratio` read it. */
    const float *x_0;
    /* [dims]: v o (J'v) for random signs v, J = d eps_hat / d x_t. Only objectives with
     * reads_product have it. */
    const float *product;
} ObjectiveInput;

/* An objective sets one of `target`, `ratio` and `loss`. Several threads call these functions at once, each
 * for another image. So a result must depend on its own image alone. */
typedef struct Objective {
    /* Lower-case letters, digits and underscores. It is also the name of the head: of its groups in
     * a checkpoint, of its file stage2-<name>.h5, and of its rows in metrics.csv. */
    const char *name;
    /* The texts of train --help, which writes the source in brackets. */
    const char *help, *source;
    /* If Adam trains the head, the seed of its initial weights is the run's seed plus this number.
     * Each head has a different number, so that each starts from its own weights. 0 belongs to the
     * trunk: such an objective trains no head, and only stage 1 can minimise it (eps, vlb). Never change the
     * number: the same seed would then give another run. */
    unsigned seed_offset;

    /* Whether the target reads ObjectiveInput.product, for which the trunk needs a backward pass. */
    bool reads_product;

    /* y [dims] := the target of the output. The loss is ||output - y||^2. So the head can be fitted
     * by least squares, or trained by Adam. */
    void (*target)(const ObjectiveInput *in, double *y);

    /* Returns r >= 0 of one element, for its residual x_0 - x_0_hat, where x_0_hat is clipped to
     * [-1, 1]. The loss is the sum of l + r exp(-l) over the elements, l being the output. So the
     * head can be fitted by a gamma regression (stats/gamma_regression.h), or trained by Adam. */
    double (*ratio)(const Schedule *schedule, int t, double residual);

    /* With `ratio`: returns the weight of an element's loss, for the output l that the fit has
     * reached; at least 0, of any scale. NULL: all weights are equal. So a fit can minimise another
     * loss with the same minimum over all functions of x_t (objective_nll.c). An exact fit weights the
     * rows of a bin, and Adam the slopes of an image's elements, divided by their mean. The losses that
     * are shown have no weights. */
    double (*weight)(const Schedule *schedule, int t, double l);

    /* Returns any other loss of one image, for output [dims]. gradient [dims] := d loss / d output,
     * unless gradient is NULL. Only Adam can minimise such a loss. */
    double (*loss)(const ObjectiveInput *in, const float *output, double *gradient);
} Objective;

/* The table, sorted by name. objective_<name>.c defines objective_<name>. */
#define OBJECTIVES(LINE)                                                                           \
    LINE(eps)                                                                                      \
    LINE(gms)                                                                                      \
    LINE(nll)                                                                                      \
    LINE(npr)                                                                                      \
    LINE(ocm)                                                                                      \
    LINE(sn)                                                                                       \
    LINE(vlb)

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

/* Whether the loss is that of a gamma regression. Only such a loss has objective_residuals. */
static inline bool objective_is_gamma(const Objective *objective)
{
    return objective->ratio != NULL;
}

/* Whether stage 2 can fit a head with this objective. */
static inline bool objective_trains_head(const Objective *objective)
{
    return objective->seed_offset != 0;
}

/* The data of one image or more. The arrays belong to the caller. */
typedef struct ObjectiveBatch {
    const Schedule *schedule;
    size_t images, dims;
    /* The images of the mean, if these are a part of them; 0: these are all. */
    size_t whole;
    /* [images] */
    const int *t;
    /* [images, dims] */
    const float *eps;
    /* [images, dims]; NULL if the objective does not read it. */
    const float *eps_hat, *x_0;
    /* [images, dims]; NULL if the objective does not read it. */
    const float *products;
} ObjectiveBatch;

/* y [images, dims] := the targets of a quadratic objective, rounded to single precision. */
void objective_targets(const Objective *objective, const ObjectiveBatch *batch, float *y);

/* out [images, dims] := x_0 - x_0_hat, where x_0_hat is clipped to [-1, 1]. */
void objective_residuals(const ObjectiveBatch *batch, float *out);

/* Returns the mean loss of the images; of a part of the images its share of the mean.
 *   output [images, dims]    the values to judge: eps_hat for the objective eps, or the raw output
 *                            of a head
 *   each [images]            := the loss of each image
 *   gradient [images, dims]  := d mean / d output; NULL: not wanted. Of an objective with a `weight` it
 *                            is multiplied by the weights, divided by their mean over the image.
 * Targets, differences and sums are in double. Every sum has a fixed order, so the result does not
 * depend on the number of threads. */
double objective_loss(const Objective *objective, const ObjectiveBatch *batch, const float *output,
                      double *each, float *gradient);
