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
 * from the other bins, are tried out (stats/shrinkage.h). Squares are solved for after 1, 2, 4, 8,
 * ... rounds and at the end, so that one sees when more images stop to help. The likelihood is
 * solved for at the end, and if the run is stopped.
 *
 * Several processes sum their shares of each batch (stage2_exact_group.c). The first one solves.
 */
#include "train/stage2_exact.h"

#include "base/group.h"
#include "base/memory.h"
#include "train/stage2_correlation.h"

#include <math.h>
#include <stdio.h>

/* -- Levels ----------------------------------------------------------------------------------- */

static double images_fitted(const Stage2 *s, int64_t step)
{
    return (double)((step - s->exact->held_steps) * s->batch.whole);
}

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static int64_t rounds_fitted(const Stage2 *s, double images)
{
    return (int64_t)images / s->batch.whole / s->bins.count;
}

static bool is_solved(const Stage2 *s, int64_t step)
{
    const Exact *e = s->exact;
    return e->level_count > 0 && e->levels[e->level_count - 1].images == images_fitted(s, step);
}

/* Whether a complete round of batches ends at this step, and the rounds are a power of two. */
static bool is_level(const Stage2 *s, int64_t step)
{
    const int64_t fitted = step - s->exact->held_steps, bins = s->bins.count;
    return fitted > 0 && fitted % bins == 0 && is_power_of_two(fitted / bins);
}

/* Drops a solution that was made only for an intermediate save, so that a continued run ends in the
 * same file as an uninterrupted one. */
static void forget_stop(Stage2 *s)
{
    Exact *e = s->exact;
    const double images = e->level_count > 0 ? e->levels[e->level_count - 1].images : 0;
    const int64_t rounds = rounds_fitted(s, images);
    if (images > 0 &&
        !(is_power_of_two(rounds) && (double)(rounds * s->bins.count * s->batch.whole) == images))
        e->level_count--;
}

/* -- Losses that are shown -------------------------------------------------------------------- */

/* The loss per image of the best constant for the last batch: shown for a regression, which is
 * solved for only in the end. */
static double loss_of_constant(const Stage2 *s, int i)
{
    const double count = (double)s->batch.whole * (double)s->batch.dims;
    double sum = 0;
    for (int image = 0; image < s->batch.size; image++)
        for (size_t j = 0; j < s->batch.dims; j++)
            sum += s->task.losses[i]->ratio(
                &s->batch.schedule, s->batch.t[image],
                (double)s->exact->sample.residuals[(size_t)image * s->batch.dims + j]);
    group_sum_doubles(&sum, 1);
    return (1 + log(sum / count)) * (double)s->batch.dims;
}

/* The squared loss of a head whose output is 0: shown before the first solution. */
static double loss_of_zeros(const Stage2 *s, int64_t step, int i)
{
    const Exact *e = s->exact;
    const int first = e->square_of[i] * e->outputs;
    const NormalSums sums = exact_sums(s, step < e->held_steps ? HELD : FITTED, exact_bin(s, step));
    double all[2] = {0, *sums.count};
    for (int k = first; k < first + e->outputs; k++)
        all[0] += sums.squares[k];
    group_sum_doubles(all, 2);
    return all[0] / all[1] * exact_pixels(s);
}

static double shown_loss(const Stage2 *s, int64_t step, int i)
{
    const Exact *e = s->exact;
    if (e->square_of[i] < 0)
        return loss_of_constant(s, i);
    return e->level_count > 0 ? e->levels[e->level_count - 1].held[i] : loss_of_zeros(s, step, i);
}

/* -- The loop's callbacks --------------------------------------------------------------------- */

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    const int64_t done = (int64_t)step + 1;
    bool added = false;
    forget_stop(s);
    if (!group_agree(exact_add_batch(s, step, &added, error), error))
        return false;
    if (is_level(s, done) && exact_has_observations(s) &&
        !exact_solve_squares(s, images_fitted(s, done), error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        losses[i] = added ? shown_loss(s, step, i) : NAN;
    return true;
}

static bool before_save(Stage *stage, int64_t step, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    s->exact->complete = step >= stage->steps;
    if (!exact_collect(s, error))
        return false;
    if (step <= s->exact->held_steps || (!exact_has_observations(s) && step < stage->steps))
        return true; /* too early to solve */
    if (!exact_has_observations(s))
        return error_runtime(error, "%s: no batch gave finite numbers only; nothing was fitted",
                             stage->name);
    return (is_solved(s, step) || exact_solve_squares(s, images_fitted(s, step), error)) &&
           exact_solve_gammas(s, error) &&
           (step < stage->steps || exact_measure_held_out(s, error));
}

/* The two losses of head i at a level; nothing if a regression was not solved for there. */
static void print_losses(const Exact *e, int i, int level)
{
    if (e->square_of[i] < 0 && level + 1 < e->level_count)
        printf("   %13s %10s", "", "");
    else
        printf("   %13.4f %10.4f", e->levels[level].fitted[i], e->levels[level].held[i]);
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
            print_losses(e, i, l);
    }
    printf("\n%9s", "+-");
    for (int i = 0; i < stage->learner_count; i++)
        printf("   %13s %10.4f", "", e->held_stderr[i]);
    const int64_t drawn = e->held_steps * s->batch.whole;
    printf("\n\nLosses are per image, held out on %lld images", (long long)e->held_images);
    if (drawn > e->held_images)
        printf(", drawn %lld times with other noise; +- is a standard error over these.\n",
               (long long)drawn);
    else
        printf("; +- is a standard error.\n");
    correlation_report(s);
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
    if (!exact_plan(s, error) || !exact_allocate(s, error) || !exact_build_basis(s, error))
        return false;
    if (exact_samples(s->exact))
        s->stage.length = NULL; /* a complete run has no sample to add to */
    return true;
}
