/* Heads that are solved for, not trained.
 *
 * A simple head is GroupNorm -> SiLU -> conv3x3. With the scale and shift of the trunk's own
 * norm_out in the normalisation, its output is linear in the convolution's weights. A quadratic
 * objective is then least squares, and its minimum is the solution of one linear system, whose left
 * side is the same for every target (layers/patch_gram.h). One pass over some thousands of images
 * is enough.
 *
 * The likelihood's loss is no square, but its minimum needs the same matrix and a sample of the
 * observations (stage2_sample.h), which the same pass keeps.
 *
 * Batches take turns in the bins of timesteps, so that a batch adds to the sums of one bin. The
 * first rounds of batches are held out: on their sums every bin's ridge, and its share borrowed
 * from the other bins, are tried out (stats/shrinkage.h). The heads are solved for after 1, 2, 4,
 * 8, ... rounds and at the end, so that one sees when more images stop to help.
 */
#include "train/stage2_exact.h"

#include "base/memory.h"
#include "engine/profile.h"
#include "train/stage2_correlation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HELD_OUT = 1024 }; /* images, at least */

/* -- Sums ------------------------------------------------------------------------------------- */

static NormalSums sums_of(const Stage2 *s, int part, int bin)
{
    const Exact *e = s->exact;
    const size_t index = (size_t)(part * s->bins.count + bin);
    return normal_sums_at(e->blocks + index * exact_block(e), e->features, e->targets);
}

static int bin_of_step(const Stage2 *s, int64_t step)
{
    return (int)(step % s->bins.count);
}

/* The held-out images are the first ones of epoch 0's shuffled order. Exact fitting uses that order
 * only, so they are never fitted. */
static BatchRange range_of_step(const Stage2 *s, int64_t step)
{
    const Exact *e = s->exact;
    const bool held = step < e->held_steps;
    const int bin = bin_of_step(s, step);
    return (BatchRange){
        .position = held ? 0 : e->held_images,
        .images = held ? e->held_images : dataset_count(s->batch.dataset) - e->held_images,
        .first = (held ? step : step - e->held_steps) * s->batch.size,
        .after = s->bins.first[bin],
        .last = s->bins.first[bin + 1],
    };
}

static bool run_trunk(Stage2 *s, int64_t step, Error *error)
{
    const BatchRange range = range_of_step(s, step);
    return batch_draw_range(&s->batch, (uint32_t)step, &range, value_data(s->trunk.x),
                            value_data(s->trunk.time), error) &&
           stage2_run_trunk(s, (uint32_t)step, error);
}

static void add_squares(const Stage2 *s, const NormalSums *sums)
{
    const Exact *e = s->exact;
    const size_t count = (size_t)s->batch.size * s->batch.dims, outputs = (size_t)e->outputs;
    for (int k = 0; k < e->targets; k++) {
        const float *y = e->y[k / e->outputs] + k % e->outputs;
        double sum = 0;
        for (size_t i = 0; i < count; i += outputs)
            sum += (double)y[i] * (double)y[i];
        sums->squares[k] += sum;
    }
    *sums->count += (double)(count / outputs);
}

static bool all_finite(const float *values, size_t count)
{
    float sum = 0; /* a sum of zeros, unless a value is infinite or NaN */
    for (size_t i = 0; i < count; i++)
        sum += 0 * values[i];
    return sum == 0;
}

/* Whether the batch can be used. The trunk's output is a sum of its features, and so shows a NaN in
 * them. */
static bool is_finite(const Stage2 *s)
{
    const size_t count = (size_t)s->batch.size * s->batch.dims;
    bool finite = all_finite(value_data(s->trunk.eps), count);
    for (int i = 0; i < s->exact->squares; i++)
        finite = finite && all_finite(s->exact->y[i], count);
    return finite;
}

static void make_targets(Stage2 *s)
{
    const ObjectiveBatch batch = batch_objective(&s->batch, value_data(s->trunk.eps));
    const Exact *e = s->exact;
    for (int i = 0; i < s->task.count; i++)
        if (e->square_of[i] >= 0)
            objective_targets(s->task.losses[i], &batch, e->y[e->square_of[i]]);
    if (exact_samples(e))
        objective_residuals(&batch, e->sample.residuals);
}

/* Offers the batch to the sample. */
static void offer_batch(const Stage2 *s, int64_t step)
{
    const HeadSample *sample = &s->exact->sample;
    const double begin = profile_begin();
    value_read(s->exact->basis, sample->features);
    block_sample_offer(step < s->exact->held_steps ? sample->held : sample->fitted,
                       bin_of_step(s, step),
                       &(BlockOffer){.seed = s->stage.config->seed,
                                     .step = (uint32_t)step,
                                     .images = s->batch.size,
                                     .t = s->batch.t,
                                     .features = sample->features,
                                     .residuals = sample->residuals});
    profile_end(begin, "a sample of blocks", PROFILE_OTHER);
}

/* Adds a batch to the sums. A batch with a NaN stays out: the sums would keep it for ever. */
static bool add_batch(Stage2 *s, int64_t step, bool *added, Error *error)
{
    Exact *e = s->exact;
    const NormalSums sums = sums_of(s, step < e->held_steps ? HELD : FITTED, bin_of_step(s, step));
    if (!run_trunk(s, step, error) || !graph_forward(e->basis_graph, (uint32_t)step, error))
        return false;
    make_targets(s);
    *added = is_finite(s);
    if (!*added)
        return true;
    if (exact_samples(e))
        offer_batch(s, step);
    const double begin = profile_begin();
    add_squares(s, &sums);
    const bool done =
        patch_gram_add(e->gram, (const float *const *)e->y, sums.products, sums.moments, error);
    profile_end(begin, "sums of least squares", PROFILE_OTHER);
    return done;
}

/* -- Solving ---------------------------------------------------------------------------------- */

static double *weights_of_bin(const Stage2 *s, int bin)
{
    const Exact *e = s->exact;
    return e->w + (size_t)bin * (size_t)e->targets * (size_t)e->features;
}

/* Elements of an image in one channel. */
static double pixels(const Stage2 *s)
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
        const NormalSums sums = sums_of(s, part, bin);
        for (int k = first; *sums.count > 0 && k < first + e->outputs; k++)
            sum += *sums.count *
                   normal_sums_loss(&sums, k,
                                    weights_of_bin(s, bin) + (size_t)k * (size_t)e->features);
        count += *sums.count;
    }
    return sum / count * pixels(s);
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

static double images_fitted(const Stage2 *s, int64_t step)
{
    return (double)((step - s->exact->held_steps) * s->batch.size);
}

/* The squared losses of one bin. */
static bool fit_squares(Stage2 *s, const NormalSums *all, int bin, Error *error)
{
    Exact *e = s->exact;
    const NormalSums own = sums_of(s, FITTED, bin), held = sums_of(s, HELD, bin);
    Shrinkage chosen[MAX_LEARNERS];
    if (!shrinkage_fit(&own, s->bins.count > 1 ? all : NULL, &held, e->outputs,
                       s->stage.config->stage2.ridge, chosen, weights_of_bin(s, bin), error))
        return false;
    for (int i = 0; i < s->task.count; i++)
        if (e->square_of[i] >= 0)
            e->chosen[i][bin] = chosen[e->square_of[i]];
    return true;
}

static bool fit_bins(Stage2 *s, Error *error)
{
    const Exact *e = s->exact;
    const int bins = s->bins.count;
    const NormalSums all = normal_sums_at(e->all, e->features, e->targets);
    memset(e->all, 0, exact_block(e) * sizeof(double));
    for (int bin = 0; bin < bins; bin++) {
        const NormalSums own = sums_of(s, FITTED, bin);
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
        own[bin] = sums_of(s, FITTED, bin);
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
    if (!head_sample_fit(&fit, error))
        return false;
    level->fitted[i] = fit.fitted_loss * (double)s->batch.dims;
    level->held[i] = fit.held_loss * (double)s->batch.dims;
    profile_end(begin, "gamma regression", PROFILE_OTHER);
    return true;
}

static bool solve(Stage2 *s, int64_t step, Error *error)
{
    Exact *e = s->exact;
    const double begin = profile_begin();
    if (!fit_bins(s, error))
        return false;
    profile_end(begin, "solving", PROFILE_OTHER);
    Level *level = &e->levels[e->level_count++];
    level->images = images_fitted(s, step);
    for (int i = 0; i < s->task.count; i++) {
        if (e->square_of[i] >= 0) {
            level->fitted[i] = loss_of(s, FITTED, i);
            level->held[i] = loss_of(s, HELD, i);
        } else if (!fit_gamma(s, i, level, error)) {
            return false;
        }
        set_weights(s, i);
    }
    memset(e->held_stderr, 0, sizeof e->held_stderr);
    return true;
}

/* Whether both fitted and held-out observations exist: all batches of a part may have been
 * skipped. */
static bool has_observations(const Stage2 *s)
{
    double count[PARTS] = {0};
    for (int part = 0; part < PARTS; part++)
        for (int bin = 0; bin < s->bins.count; bin++)
            count[part] += *sums_of(s, part, bin).count;
    return count[FITTED] > 0 && count[HELD] > 0;
}

static bool is_solved(const Stage2 *s, int64_t step)
{
    const Exact *e = s->exact;
    return e->level_count > 0 && e->levels[e->level_count - 1].images == images_fitted(s, step);
}

/* The standard error of the held-out losses, and correlations: runs the held-out images once more, through the heads
 * as they are saved, and takes the variance of the images' losses. */
static bool measure_held_out_error(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    double sum[MAX_LEARNERS] = {0}, square[MAX_LEARNERS] = {0}, count = 0;
    if (!correlation_begin(s, e->held_steps * s->batch.size, error))
        return false;
    for (int64_t step = 0; step < e->held_steps; step++) {
        if (!run_trunk(s, step, error))
            return false;
        make_targets(s);
        if (!is_finite(s))
            continue;
        count += s->batch.size;
        for (int i = 0; i < s->task.count; i++) {
            if (!stage2_run_head(s, i, s->stage.learners[i].state.ema, 0, error))
                return false;
            if (i == correlation_head(s))
                correlation_add(s);
            const ObjectiveBatch batch = batch_objective(&s->batch, value_data(s->trunk.eps));
            objective_loss(s->task.losses[i], &batch, s->output, s->batch.losses, NULL);
            for (int j = 0; j < s->batch.size; j++) {
                sum[i] += s->batch.losses[j];
                square[i] += s->batch.losses[j] * s->batch.losses[j];
            }
        }
    }
    for (int i = 0; i < s->task.count; i++) {
        const double variance = square[i] / count - pow(sum[i] / count, 2);
        /* Equal losses can give a variance below 0, by rounding. A NaN stays. */
        e->held_stderr[i] = variance < 0 || count < 2 ? 0 : sqrt(variance / (count - 1));
    }
    return correlation_finish(s, error);
}

/* -- The loop's callbacks --------------------------------------------------------------------- */

/* The loss per image of a gamma regression with l = 0, the mean of r, over the last batch. */
static double mean_ratio(const Stage2 *s, int i)
{
    double sum = 0;
    for (int image = 0; image < s->batch.size; image++)
        for (size_t j = 0; j < s->batch.dims; j++)
            sum += s->task.losses[i]->ratio(
                &s->batch.schedule, s->batch.t[image],
                (double)s->exact->sample.residuals[(size_t)image * s->batch.dims + j]);
    return sum / s->batch.size;
}

/* The loss of a head whose output is 0: shown before the first solution. */
static double loss_of_zeros(const Stage2 *s, int64_t step, int i)
{
    const Exact *e = s->exact;
    if (e->square_of[i] < 0)
        return mean_ratio(s, i);
    const int first = e->square_of[i] * e->outputs;
    const NormalSums sums = sums_of(s, step < e->held_steps ? HELD : FITTED, bin_of_step(s, step));
    double sum = 0;
    for (int k = first; k < first + e->outputs; k++)
        sum += sums.squares[k];
    return sum / *sums.count * pixels(s);
}

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static int64_t rounds_fitted(const Stage2 *s, double images)
{
    return (int64_t)images / s->batch.size / s->bins.count;
}

/* Drops a solution that was made only for an intermediate save, so that a continued run ends in the
 * same file as an uninterrupted one. */
static void forget_stop(Stage2 *s)
{
    Exact *e = s->exact;
    const double images = e->level_count > 0 ? e->levels[e->level_count - 1].images : 0;
    const int64_t rounds = rounds_fitted(s, images);
    if (images > 0 &&
        !(is_power_of_two(rounds) && (double)(rounds * s->bins.count * s->batch.size) == images))
        e->level_count--;
}

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    Exact *e = s->exact;
    bool added;
    forget_stop(s);
    if (!add_batch(s, step, &added, error))
        return false;
    const int64_t fitted = (int64_t)step + 1 - e->held_steps, bins = s->bins.count;
    if (fitted > 0 && fitted % bins == 0 && is_power_of_two(fitted / bins) && has_observations(s) &&
        !solve(s, (int64_t)step + 1, error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        losses[i] = !added               ? NAN
                    : e->level_count > 0 ? e->levels[e->level_count - 1].held[i]
                                         : loss_of_zeros(s, step, i);
    return true;
}

static bool before_save(Stage *stage, int64_t step, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    if (step <= s->exact->held_steps || (!has_observations(s) && step < stage->steps))
        return true; /* too early to solve */
    if (!has_observations(s))
        return error_runtime(error, "%s: no batch gave finite numbers only; nothing was fitted",
                             stage->name);
    return (is_solved(s, step) || solve(s, step, error)) &&
           (step < stage->steps || measure_held_out_error(s, error));
}

static void report(const Stage *stage)
{
    const Stage2 *s = (const Stage2 *)stage;
    const Exact *e = s->exact;
    printf("\n%9s", "images");
    for (int i = 0; i < stage->learner_count; i++)
        printf("   %4s training   held out", stage->learners[i].target);
    for (int l = 0; l < e->level_count; l++) {
        printf("\n%9.0f", e->levels[l].images);
        for (int i = 0; i < stage->learner_count; i++)
            printf("   %13.4f %10.4f", e->levels[l].fitted[i], e->levels[l].held[i]);
    }
    printf("\n%9s", "+-");
    for (int i = 0; i < stage->learner_count; i++)
        printf("   %13s %10.4f", "", e->held_stderr[i]);
    printf("\n\nLosses are per image, held out on %lld images; +- is a standard error.\n",
           (long long)(e->held_steps * s->batch.size));
    correlation_report(s);
}

/* -- The start -------------------------------------------------------------------------------- */

/* The scale and shift of the trunk's own last normalisation are the head's too. */
static void copy_norm(const Stage2 *s, const ParamSet *set, float *weights)
{
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        const int index = params_find(&s->trunk_params, param->name);
        if (strncmp(param->name, "norm_out.", strlen("norm_out.")) == 0)
            memcpy(weights + param->offset, s->trunk_weights + s->trunk_params.items[index].offset,
                   param->count * sizeof(float));
    }
}

static bool build_basis(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    e->basis_graph =
        graph_new(&e->basis_params,
                  (GraphOptions){.batch = s->batch.size,
                                 .type = s->type,
                                 .direct = s->stage.config->convolution == CONVOLUTION_DIRECT});
    e->basis = head_basis_build(e->basis_graph, s->stage.config, s->trunk.features);
    e->basis_weights =
        memory_large(e->basis_params.size, sizeof(float), "the normalisation", error);
    if (!e->basis_weights)
        return false;
    copy_norm(s, &e->basis_params, e->basis_weights);
    if (!graph_finish(e->basis_graph, error))
        return false;
    graph_load_weights(e->basis_graph, e->basis_weights);
    return patch_gram_make(&e->gram, e->basis, e->squares, e->outputs, error);
}

/* The sums grow with the square of the trunk's width, and every checkpoint holds them, so that a
 * run can continue with more images. A note tells the user of large sums. Sums of more than half
 * the memory are refused. */
static bool check_size(Stage2 *s, Error *error)
{
    const double large = 64e6, share = 0.5;
    Exact *e = s->exact;
    const double bytes = (double)(PARTS * s->bins.count) * (double)exact_block(e) * sizeof(double);
    const double memory = memory_of_machine();
    if (bytes > share * memory)
        return error_input(
            error,
            "stage2.solver: exact would take %.1f GB for its sums, more than half of "
            "the %.1f GB that there are; expected fewer stage2.time_bins than %d, "
            "or adam",
            bytes / 1e9, memory / 1e9, s->bins.count);
    if (bytes > large)
        e->note = memory_format("the sums of least squares take %.2g GB, in memory and in the "
                                "checkpoint (%d channels, %d bins)",
                                bytes / 1e9, value_channels(s->trunk.features), s->bins.count);
    s->stage.note = e->note;
    return true;
}

/* Numbers the squared losses. */
static void number_squares(const Stage2 *s)
{
    Exact *e = s->exact;
    for (int i = 0; i < s->task.count; i++)
        e->square_of[i] = objective_is_quadratic(s->task.losses[i]) ? e->squares++ : -1;
}

/* The sample must leave memory for the rest of the program. */
static bool make_sample(Stage2 *s, Error *error)
{
    const double share = 0.5, bytes = s->stage.config->stage2.memory * 0x1p30;
    const double memory = memory_of_machine();
    Exact *e = s->exact;
    if (bytes > share * memory)
        return error_input(error,
                           "stage2.memory: %g GiB is more than half of the %.1f GiB that there "
                           "are; expected less",
                           s->stage.config->stage2.memory, memory / 0x1p30);
    const HeadSampleSize size = {.shape = {.side = s->stage.config->data.resolution,
                                           .features = value_channels(s->trunk.features),
                                           .channels = e->outputs},
                                 .bins = s->bins.count,
                                 .batch = s->batch.size,
                                 .bytes = bytes,
                                 .fitted = (s->stage.steps - e->held_steps) / s->bins.count,
                                 .held = e->held_steps / s->bins.count};
    return head_sample_make(&e->sample, &size, error);
}

/* What a loss needs besides the sums and the sample. */
static bool allocate_head(Stage2 *s, int i, Error *error)
{
    Exact *e = s->exact;
    if (e->square_of[i] >= 0) {
        float **y = &e->y[e->square_of[i]];
        *y = memory_large((size_t)s->batch.size * s->batch.dims, sizeof(float), "targets", error);
        return *y != NULL;
    }
    e->gamma_w[i] = memory_large((size_t)(s->bins.count * e->outputs) * (size_t)e->features,
                                 sizeof(double), "a regression", error);
    return e->gamma_w[i] != NULL;
}

static bool allocate(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    const size_t bins = (size_t)s->bins.count;
    static const char what[] = "the sums of least squares";
    number_squares(s);
    e->outputs = s->stage.config->data.channels;
    e->targets = e->squares * e->outputs;
    e->features = patch_gram_features(value_channels(s->trunk.features));
    if (!check_size(s, error))
        return false;
    e->blocks = memory_large(PARTS * bins * exact_block(e), sizeof(double), what, error);
    e->all = e->blocks ? memory_large(exact_block(e), sizeof(double), what, error) : NULL;
    e->w = e->all ? memory_large(bins * (size_t)(e->targets * e->features), sizeof(double), what,
                                 error)
                  : NULL;
    bool done = e->w != NULL && (e->squares == s->task.count || make_sample(s, error));
    for (int i = 0; done && i < s->task.count; i++) {
        Learner *learner = &s->stage.learners[i];
        done = allocate_head(s, i, error) && learner_allocate_solved(learner, error);
        if (done) {
            copy_norm(s, &learner->params, learner->state.weights);
            memcpy(learner->state.ema, learner->state.weights, learner->state.size * sizeof(float));
        }
    }
    return done;
}

/* Counts the steps. The held-out ones do not depend on stage2.images, so that a larger value
 * continues a run. */
static bool plan(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    const int64_t count = dataset_count(s->batch.dataset), bins = s->bins.count;
    const int64_t round = bins * s->batch.size; /* images */
    const int64_t rounds = (s->stage.config->stage2.images + round - 1) / round;
    if (count < 2)
        return error_input(error, "%s: expected two images or more, one to hold out",
                           dataset_name(s->batch.dataset));
    e->held_steps = (HELD_OUT + round - 1) / round * bins;
    e->held_images = e->held_steps * s->batch.size;
    if (e->held_images > count / 2)
        e->held_images = count / 2;
    s->stage.steps = e->held_steps + rounds * bins;
    return true;
}

static void release(Stage *stage)
{
    Exact *e = ((Stage2 *)stage)->exact;
    patch_gram_free(e->gram);
    graph_free(e->basis_graph);
    params_free(&e->basis_params);
    memory_free(e->basis_weights);
    for (int i = 0; i < MAX_LEARNERS; i++) {
        memory_free(e->y[i]);
        memory_free(e->gamma_w[i]);
    }
    head_sample_free(&e->sample);
    memory_free(e->note);
    memory_free(e->blocks);
    memory_free(e->all);
    memory_free(e->w);
    memory_free(e);
    correlation_free((Stage2 *)stage);
    stage2_release(stage);
}

bool stage2_exact_begin(Stage2 *s, Error *error)
{
    s->exact = memory_small(1, sizeof *s->exact);
    s->stage.length = "stage2.images";
    s->stage.smoothing = 1; /* a held-out loss does not jump from step to step */
    s->stage.evaluate = evaluate;
    s->stage.before_save = before_save;
    s->stage.write_extra = exact_write;
    s->stage.read_extra = exact_read;
    s->stage.report = report;
    s->stage.release = release;
    return plan(s, error) && allocate(s, error) && build_basis(s, error);
}
