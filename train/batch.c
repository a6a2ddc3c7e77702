#include "batch.h"

#include "base/memory.h"
#include "base/random.h"
#include "model/unet.h"
#include "nn/profile.h"

bool batch_make(Batch *batch, const Config *config, int stage, int size, Error *error)
{
    const size_t count = (size_t)size, side = (size_t)config->data.resolution;
    *batch = (Batch){.config = config,
                     .stage = stage,
                     .size = size,
                     .dims = side * side * (size_t)config->data.channels};
    batch->indices = memory_small(count, sizeof *batch->indices);
    batch->t = memory_small(count, sizeof *batch->t);
    batch->times = memory_small(count, sizeof *batch->times);
    batch->losses = memory_small(count, sizeof *batch->losses);
    batch->eps = memory_large(count * batch->dims, sizeof(float), "a batch", error);
    return batch->eps &&
           schedule_make(&batch->schedule, config->diffusion.schedule, config->diffusion.timesteps,
                         error) &&
           dataset_open(&batch->dataset, config, DATASET_TRAIN, error) &&
           epoch_make(&batch->order, config->seed, dataset_count(batch->dataset), error);
}

void batch_free(Batch *batch)
{
    memory_free(batch->indices);
    memory_free(batch->t);
    memory_free(batch->times);
    memory_free(batch->losses);
    memory_free(batch->eps);
    schedule_free(&batch->schedule);
    dataset_close(batch->dataset);
    epoch_free(&batch->order);
}

/* Each image with probability 1/2. The stages share the images' order but not their coins. */
static void flip(const Batch *batch, uint32_t step, float *images)
{
    const int side = batch->config->data.resolution, channels = batch->config->data.channels;
    for (int i = 0; i < batch->size; i++) {
        RandomKey key = {.seed = batch->config->seed,
                         .purpose = RANDOM_FLIP,
                         .substream = (uint32_t)batch->stage,
                         .step = step,
                         .sample = (uint32_t)i};
        if (random_u32(key, 0) & 1)
            dataset_flip(images + (size_t)i * batch->dims, side, side, channels);
    }
}

bool batch_draw(Batch *batch, uint32_t step, float *x_t, float *time, Error *error)
{
    const double begin = profile_begin();
    const size_t count = (size_t)batch->size;
    epoch_indices(&batch->order, (int64_t)step * batch->size, batch->size, batch->indices);
    if (!dataset_read(batch->dataset, batch->indices, batch->size, x_t, error))
        return false;
    if (batch->config->data.flip && batch->config->data.format != DATA_MIXTURE)
        flip(batch, step, x_t);
    BatchKey key = {
        .seed = batch->config->seed, .stage = (uint32_t)batch->stage, .step = step, .first = 0};
    forward_draw(&batch->schedule, key, count, batch->dims, batch->t, batch->eps);
    forward_noise(&batch->schedule, batch->t, x_t, batch->eps, count, batch->dims, x_t);
    for (int i = 0; i < batch->size; i++)
        batch->times[i] = schedule_model_time(&batch->schedule, batch->t[i]);
    unet_embed_times(batch->times, batch->size, batch->config->model.channels, time);
    profile_end(begin, "data and noise", PROFILE_OTHER);
    return true;
}
