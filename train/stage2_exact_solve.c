/* The solutions of heads: least squares from the sums, then gamma regressions from the sample.
 *
 * Squares take a second, so they are solved for several times on the way. A regression takes as
 * long as hundreds of batches, so it is solved for only before the heads are saved.
 */
#include "train/stage2_exact.h"

#include "base/group.h"
#include "engine/profile.h"
#include "train/stage2_correlation.h"
#include "train/stage2_gamma.h"

#include <math.h>
#include <string.h>

static double *weights_of_bin(const Stage2 *s, int bin)
{
    const Exact *e = s->exact;
    return e->w + (size_t)bin * (size_t)e->targets * (size_t)e->features;
}

double exact_pixels(const Stage2 *s)
{
    return (double)(s->batch.dims / (size_t)s->exact->outputs);
}

/* The loss of head i per image, a square, over the observations of one part. */
static double loss_of(const Stage2 *s, int part, int i)
{
    const Exact *e = s->exact;
    const int first = e->square_of[i] * e->outputs;
    double sum = 0, count = 0;
    for (int bin = 0; bin < s->bins.count; bin++) {
        const NormalSums sums = exact_sums(s, part, bin);
        for (int k = first; *sums.count > 0 && k < first + e->outputs; k++)
            sum += *sums.count *
                   normal_sums_loss(&sums, k,
                                    weights_of_bin(s, bin) + (size_t)k * (size_t)e->features);
        count += *sums.count;
    }
    return sum / count * exact_pixels(s);
}

/* The tensor `name` in the weights of a learner. */
static float *tensor(Learner *learner, const char *name)
{
    const int index = params_find(&learner->params, name);
    return learner->state.weights + learner->params.items[index].offset;
}

/* [outputs, features]: the solution of head i in a bin. */
static const double *solution(const Stage2 *s, int i, int bin)
{
    const Exact *e = s->exact;
    const size_t head = (size_t)e->outputs * (size_t)e->features;
    return e->square_of[i] >= 0 ? weights_of_bin(s, bin) + (size_t)e->square_of[i] * head
                                : e->gamma_w[i] + (size_t)bin * head;
}

static void set_weights(Stage2 *s, int i)
{
    const Exact *e = s->exact;
    Learner *learner = &s->stage.learners[i];
    const int channels = value_channels(s->trunk.features);
    float *kernel = tensor(learner, "conv_out.weight"), *bias = tensor(learner, "conv_out.bias");
    for (int bin = 0; bin < s->bins.count; bin++)
        for (int c = 0; c < e->outputs; c++, kernel += e->features - 1, bias++)
            patch_gram_weights(solution(s, i, bin) + (size_t)c * (size_t)e->features, channels,
                               kernel, bias);
    memcpy(learner->state.ema, learner->state.weights, learner->state.size * sizeof(float));
}

/* The squared losses of one bin. */
static bool fit_squares(Stage2 *s, const NormalSums *all, int bin, Error *error)
{
    Exact *e = s->exact;
    const NormalSums own = exact_sums(s, FITTED, bin), held = exact_sums(s, HELD, bin);
    Shrinkage chosen[MAX_LEARNERS];
    if (!shrinkage_fit(&own, s->bins.count > 1 ? all : NULL, &held, e->outputs,
                       s->stage.config->stage2.ridge, chosen, weights_of_bin(s, bin), error))
        return false;
    for (int i = 0; i < s->task.count; i++)
        if (e->square_of[i] >= 0)
            e->chosen[i][bin] = chosen[e->square_of[i]];
    return true;
}

/* The squared losses of all bins, and e->all. */
static bool fit_bins(Stage2 *s, Error *error)
{
    const Exact *e = s->exact;
    const int bins = s->bins.count;
    const NormalSums all = normal_sums_at(e->all, e->features, e->targets);
    memset(e->all, 0, exact_block(e) * sizeof(double));
    for (int bin = 0; bin < bins; bin++) {
        const NormalSums own = exact_sums(s, FITTED, bin);
        normal_sums_add(&all, &own);
    }
    for (int bin = 0; bin < bins && e->squares > 0; bin++)
        if (!fit_squares(s, &all, bin, error))
            return false;
    return true;
}

/* Head i by a gamma regression, after fit_bins. */
static bool fit_gamma(Stage2 *s, int i, Level *level, Error *error)
{
    Exact *e = s->exact;
    const double begin = profile_begin();
    const NormalSums all = normal_sums_at(e->all, e->features, e->targets);
    NormalSums own[TIME_BINS_MAX];
    for (int bin = 0; bin < s->bins.count; bin++)
        own[bin] = exact_sums(s, FITTED, bin);
    HeadFit fit = {.sample = &e->sample,
                   .loss = s->task.losses[i],
                   .schedule = &s->batch.schedule,
                   .bins = s->bins.count,
                   .outputs = e->outputs,
                   .features = e->features,
                   .own = own,
                   .all = &all,
                   .ridge = s->stage.config->stage2.ridge,
                   .w = e->gamma_w[i],
                   .chosen = e->chosen[i]};
    if (!head_gamma_fit(&fit, error))
        return false;
    level->fitted[i] = fit.fitted_loss * (double)s->batch.dims;
    level->held[i] = fit.held_loss * (double)s->batch.dims;
    profile_end(begin, "gamma regression", PROFILE_OTHER);
    return true;
}

/* From the sums of all batches so far. */
static bool solve_squares(Stage2 *s, double images, Error *error)
{
    Exact *e = s->exact;
    const double begin = profile_begin();
    if (!fit_bins(s, error))
        return false;
    profile_end(begin, "solving", PROFILE_OTHER);
    Level *level = &e->levels[e->level_count++];
    *level = (Level){.images = images};
    for (int i = 0; i < s->task.count; i++) {
        if (e->square_of[i] < 0)
            continue;
        level->fitted[i] = loss_of(s, FITTED, i);
        level->held[i] = loss_of(s, HELD, i);
    }
    return true;
}

/* The first process has solved, or has failed: all of them get its weights. */
static bool take_solution(Stage2 *s, bool solved, bool squares, Error *error)
{
    if (!group_agree(solved, error))
        return false;
    exact_share_solution(s);
    for (int i = 0; i < s->task.count; i++)
        if ((s->exact->square_of[i] >= 0) == squares)
            set_weights(s, i);
    return true;
}

bool exact_solve_squares(Stage2 *s, double images, Error *error)
{
    exact_collect_sums(s);
    const bool solved = !group_is_first() || solve_squares(s, images, error);
    if (!take_solution(s, solved, true, error))
        return false;
    memset(s->exact->held_stderr, 0, sizeof s->exact->held_stderr);
    return true;
}

bool exact_solve_gammas(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    bool solved = true;
    for (int i = 0; solved && group_is_first() && i < s->task.count; i++)
        if (e->square_of[i] < 0)
            solved = fit_gamma(s, i, &e->levels[e->level_count - 1], error);
    return take_solution(s, solved, false, error);
}

/* -- The error of the held-out losses --------------------------------------------------------- */

/* Adds the losses of head i on the batch, and their squares. */
static bool add_held_out(Stage2 *s, int i, double *sum, double *square, Error *error)
{
    if (!stage2_run_head(s, i, s->stage.learners[i].state.ema, 0, error))
        return false;
    if (i == correlation_head(s))
        correlation_add(s);
    const ObjectiveBatch batch = stage2_objective_batch(s);
    objective_loss(s->task.losses[i], &batch, s->output, s->batch.losses, NULL);
    for (int j = 0; j < s->batch.size; j++) {
        *sum += s->batch.losses[j];
        *square += s->batch.losses[j] * s->batch.losses[j];
    }
    return true;
}

bool exact_measure_held_out(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    double sum[MAX_LEARNERS] = {0}, square[MAX_LEARNERS] = {0}, count = 0;
    bool ok = correlation_begin(s, e->held_steps * s->batch.whole, error);
    for (int64_t step = 0; step < e->held_steps; step++) {
        if (!group_agree(ok && exact_run_trunk(s, step, error), error))
            return false;
        exact_targets(s);
        if (group_any(!exact_is_finite(s)))
            continue;
        count += s->batch.whole;
        for (int i = 0; ok && i < s->task.count; i++)
            ok = add_held_out(s, i, &sum[i], &square[i], error);
    }
    if (!group_agree(ok, error))
        return false;
    group_sum_doubles(sum, MAX_LEARNERS);
    group_sum_doubles(square, MAX_LEARNERS);
    for (int i = 0; i < s->task.count; i++) {
        const double variance = square[i] / count - pow(sum[i] / count, 2);
        /* Equal losses can give a variance below 0, by rounding. A NaN stays. */
        e->held_stderr[i] = variance < 0 || count < 2 ? 0 : sqrt(variance / (count - 1));
    }
    return correlation_finish(s, error);
}
