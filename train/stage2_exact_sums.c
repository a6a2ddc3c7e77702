/* The pass over the images: the sums of least squares, and the sample of the gamma regressions.
 *
 * A batch adds to the sums of one bin of timesteps, fitted or held out. Which images and timesteps
 * it draws is a function of the step alone, so that a continued run is an uninterrupted one.
 */
#include "train/stage2_exact.h"

#include "base/group.h"
#include "engine/profile.h"

NormalSums exact_sums(const Stage2 *s, int part, int bin)
{
    const Exact *e = s->exact;
    const size_t index = (size_t)(part * s->bins.count + bin);
    return normal_sums_at(e->blocks + index * exact_block(e), e->features, e->targets);
}

int exact_bin(const Stage2 *s, int64_t step)
{
    return (int)(step % s->bins.count);
}

/* The held-out images are the first ones of epoch 0's shuffled order. Exact fitting uses that order
 * only, so they are never fitted. */
static BatchRange range_of_step(const Stage2 *s, int64_t step)
{
    const Exact *e = s->exact;
    const bool held = step < e->held_steps;
    const int bin = exact_bin(s, step);
    return (BatchRange){
        .position = held ? 0 : e->held_images,
        .images = held ? e->held_images : dataset_count(s->batch.dataset) - e->held_images,
        .first = (held ? step : step - e->held_steps) * s->batch.whole,
        .after = s->bins.first[bin],
        .last = s->bins.first[bin + 1],
    };
}

bool exact_run_trunk(Stage2 *s, int64_t step, Error *error)
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

/* The trunk's output is a sum of its features, and so shows a NaN in
 * them. */
bool exact_is_finite(const Stage2 *s)
{
    const size_t count = (size_t)s->batch.size * s->batch.dims;
    bool finite = all_finite(value_data(s->trunk.eps), count);
    for (int i = 0; i < s->exact->squares; i++)
        finite = finite && all_finite(s->exact->y[i], count);
    return finite;
}

void exact_targets(Stage2 *s)
{
    const ObjectiveBatch batch = stage2_objective_batch(s);
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
                       exact_bin(s, step),
                       &(BlockOffer){.seed = s->stage.config->seed,
                                     .step = (uint32_t)step,
                                     .first = (uint32_t)s->batch.first,
                                     .images = s->batch.size,
                                     .t = s->batch.t,
                                     .features = sample->features,
                                     .residuals = sample->residuals});
    profile_end(begin, "a sample of blocks", PROFILE_OTHER);
}

/* A batch with a NaN stays out, in all processes: the sums would keep it for ever. */
bool exact_add_batch(Stage2 *s, int64_t step, bool *added, Error *error)
{
    Exact *e = s->exact;
    const NormalSums sums = exact_sums(s, step < e->held_steps ? HELD : FITTED, exact_bin(s, step));
    const bool ran =
        exact_run_trunk(s, step, error) && graph_forward(e->basis_graph, (uint32_t)step, error);
    if (!group_agree(ran, error))
        return false;
    exact_targets(s);
    *added = !group_any(!exact_is_finite(s));
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

bool exact_has_observations(const Stage2 *s)
{
    double count[PARTS] = {0};
    for (int part = 0; part < PARTS; part++)
        for (int bin = 0; bin < s->bins.count; bin++)
            count[part] += *exact_sums(s, part, bin).count;
    group_sum_doubles(count, PARTS);
    return count[FITTED] > 0 && count[HELD] > 0;
}
