/* Draws a batch: images, timesteps and noise by keys, then x_t from them.
 *
 * Images come in the order of the epoch, so that every image is seen equally often. All random
 * numbers are functions of a key and not of a generator's state, so that a batch can be drawn
 * again, alone, and by any number of threads.
 */
#include "train/batch.h"

#include "base/group.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/flip.h"
#include "engine/profile.h"
#include "model/unet.h"

#include <string.h>

bool batch_check(int stage, int whole, Error *error)
{
    return whole >= group_size() ||
           error_input(error,
                       "stage%d.batch: expected %d images or more, one for each process, got %d",
                       stage, group_size(), whole);
}

bool batch_make(Batch *batch, const Config *config, int stage, int whole, Error *error)
{
    const GroupShare share = group_share(whole);
    const size_t count = (size_t)share.count, side = (size_t)config->data.resolution;
    *batch = (Batch){.config = config,
                     .stage = stage,
                     .whole = whole,
                     .size = (int)share.count,
                     .first = (int)share.first,
                     .dims = side * side * (size_t)config->data.channels};
    batch->indices = memory_small(count, sizeof *batch->indices);
    batch->next = memory_small(count, sizeof *batch->next);
    batch->t = memory_small(count, sizeof *batch->t);
    batch->times = memory_small(count, sizeof *batch->times);
    batch->losses = memory_small(count, sizeof *batch->losses);
    batch->eps = memory_large(count * batch->dims, sizeof(float), "a batch", error);
    batch->x_0 =
        batch->eps ? memory_large(count * batch->dims, sizeof(float), "a batch", error) : NULL;
    return batch->x_0 && batch_check(stage, whole, error) &&
           config_make_schedule(&batch->schedule, config, error) &&
           dataset_open(&batch->dataset, config, DATASET_TRAIN, error) &&
           dataset_fingerprint(batch->dataset, DATASET_FINGERPRINT_BYTES, &batch->print, error) &&
           epoch_make(&batch->order, config->seed, dataset_count(batch->dataset), error);
}

void batch_free(Batch *batch)
{
    memory_free(batch->indices);
    memory_free(batch->next);
    memory_free(batch->t);
    memory_free(batch->times);
    memory_free(batch->losses);
    memory_free(batch->eps);
    memory_free(batch->x_0);
    schedule_free(&batch->schedule);
    dataset_close(batch->dataset);
    epoch_free(&batch->order);
}

static bool fetch(Batch *batch, float *images, Error *error)
{
    const double begin = profile_begin();
    const bool ok = dataset_fetch(batch->dataset, batch->indices, batch->size, images, error);
    profile_end(begin, "waiting for images", PROFILE_OTHER);
    return ok;
}

/* The last steps of both ways to draw: mirrors the fetched images and adds the noise. */
static void make_inputs(Batch *batch, uint32_t step, float *x_t, float *time)
{
    const size_t count = (size_t)batch->size;
    dataset_take(batch->dataset, batch->size, x_t);
    /* The stages share the images' order but not their coins. */
    const FlipKey coins = {.seed = batch->config->seed,
                           .stream = batch->stage == 1 ? FLIP_STAGE1 : FLIP_STAGE2,
                           .step = step,
                           .first = (uint32_t)batch->first};
    flip_at_random(batch->config, &coins, batch->size, x_t);
    memcpy(batch->x_0, x_t, count * batch->dims * sizeof *x_t);
    forward_noise(&batch->schedule, batch->t, x_t, batch->eps, count, batch->dims, x_t);
    for (int i = 0; i < batch->size; i++)
        batch->times[i] = schedule_model_time(&batch->schedule, batch->t[i]);
    unet_embed_times(batch->times, batch->size, unet_time_embedding(batch->config), time);
}

/* Has the images from `position` on brought meanwhile, but those of the next epoch: its order is not
 * made yet. */
static void expect(Batch *batch, int64_t position)
{
    const int64_t left = batch->order.count - position % batch->order.count;
    const int n = left < batch->size ? (int)left : batch->size;
    if (position / batch->order.count != batch->order.current)
        return;
    epoch_indices(&batch->order, position, n, batch->next);
    dataset_expect(batch->dataset, batch->next, n);
}

static BatchKey key_of(const Batch *batch, uint32_t step)
{
    return (BatchKey){.seed = batch->config->seed,
                      .stage = (uint32_t)batch->stage,
                      .step = step,
                      .first = (uint32_t)batch->first};
}

/* Other timesteps than the uniform ones, once the sampler knows enough. */
static void draw_by_loss(Batch *batch, uint32_t step)
{
    time_sampler_prepare(batch->sampler);
    for (int i = 0; batch->sampler->cumulative && i < batch->size; i++) {
        const RandomKey key = {.seed = batch->config->seed,
                               .purpose = RANDOM_TIMESTEP,
                               .substream = (uint32_t)batch->stage,
                               .step = step,
                               .sample = (uint32_t)(batch->first + i)};
        batch->t[i] = time_sampler_find(batch->sampler, random_uniform(key, 0));
    }
}

bool batch_draw(Batch *batch, uint32_t step, float *x_t, float *time, Error *error)
{
    const int64_t position = (int64_t)step * batch->whole + batch->first;
    epoch_indices(&batch->order, position, batch->size, batch->indices);
    if (!fetch(batch, x_t, error))
        return false;
    const double begin = profile_begin();
    forward_draw(&batch->schedule, key_of(batch, step), (size_t)batch->size, batch->dims, batch->t,
                 batch->eps);
    if (batch->sampler)
        draw_by_loss(batch, step);
    make_inputs(batch, step, x_t, time);
    expect(batch, position + batch->whole);
    profile_end(begin, "data and noise", PROFILE_OTHER);
    return true;
}

/* Image i's timestep is uniform in the i-th part of the range, so that each batch covers the
 * range. */
static void draw_timesteps(Batch *batch, uint32_t step, const BatchRange *range)
{
    const double width = (double)(range->last - range->after) / batch->whole;
    for (int i = 0; i < batch->size; i++) {
        const int number = batch->first + i;
        const RandomKey key = {.seed = batch->config->seed,
                               .purpose = RANDOM_TIMESTEP,
                               .substream = (uint32_t)batch->stage,
                               .step = step,
                               .sample = (uint32_t)number};
        batch->t[i] = range->after + 1 + (int)((number + random_uniform(key, 0)) * width);
        if (batch->t[i] > range->last) /* by rounding */
            batch->t[i] = range->last;
    }
}

/* indices [size] := this process's images of a batch whose first one is number `first` of the
 * range. */
static void range_indices(Batch *batch, const BatchRange *range, int64_t first, int64_t *indices)
{
    for (int i = 0; i < batch->size; i++)
        epoch_indices(&batch->order, range->position + (first + batch->first + i) % range->images,
                      1, &indices[i]);
}

bool batch_draw_range(Batch *batch, uint32_t step, const BatchRange *range, float *x_t, float *time,
                      Error *error)
{
    range_indices(batch, range, range->first, batch->indices);
    if (!fetch(batch, x_t, error))
        return false;
    const double begin = profile_begin();
    forward_draw(&batch->schedule, key_of(batch, step), (size_t)batch->size, batch->dims, batch->t,
                 batch->eps);
    draw_timesteps(batch, step, range);
    make_inputs(batch, step, x_t, time);
    range_indices(batch, range, range->first + batch->whole, batch->next);
    dataset_expect(batch->dataset, batch->next, batch->size);
    profile_end(begin, "data and noise", PROFILE_OTHER);
    return true;
}

ObjectiveBatch batch_objective(const Batch *batch, const float *eps_hat)
{
    return (ObjectiveBatch){
        .schedule = &batch->schedule,
        .images = (size_t)batch->size,
        .whole = (size_t)batch->whole,
        .dims = batch->dims,
        .t = batch->t,
        .eps = batch->eps,
        .eps_hat = eps_hat,
        .x_0 = batch->x_0,
    };
}
