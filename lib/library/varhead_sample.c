/* Drawing samples, and what turns them into bytes and back. */
#include "base/pixel.h"
#include "evaluation/sampling_plan.h"
#include "inference/image_array.h"
#include "library/varhead_internal.h"

#include <math.h>

/* plan->timesteps is to be freed in any case. */
static bool make_plan(SamplingPlan *plan, const VarheadOptions *options, const VarheadModel *model,
                      Error *error)
{
    const SamplingChoice choice = {.sampler = options->sampler,
                                   .trajectory = options->trajectory,
                                   .eta = options->eta,
                                   .clip_pixel = options->clip_pixel,
                                   .clip_x0 = options->clip_x0,
                                   .estimate = options_estimate(options)};
    const Variance *variance;
    int steps;
    if (options->sampler == SAMPLER_DDPM && !isnan(options->eta))
        return error_input(error, "eta: is of the sampler ddim; ddpm has none");
    return options_variance(options, model, &variance, error) &&
           options_steps(options, model, &steps, error) &&
           sampling_check(&choice, variance, error) &&
           (sampling_plan_make(plan, model->network, &choice, variance, steps, error) ||
            error_prefix(error, "trajectory"));
}

static bool check_range(const float *images, int64_t first, int64_t count, Error *error)
{
    if (!call_count_is_possible(count, error) || (count > 0 && !call_has(images, "images", error)))
        return false;
    return (first >= 0 && first <= IMAGE_ARRAY_LIMIT - count) ||
           error_input(error, "first: expected samples below number %d, got %lld and %lld more",
                       IMAGE_ARRAY_LIMIT, (long long)first, (long long)count);
}

static bool draw(const VarheadModel *model, const SamplingPlan *plan, uint64_t seed, int64_t first,
                 int64_t count, float *images, Error *error)
{
    const size_t dims = network_dims(model->network);
    const int64_t batch = network_batch(model->network);
    Noise noise = noise_drawn(seed, dims);
    Progress progress;
    progress_start(&progress, "sampling", 0, count * plan->steps, 1, "", true);
    bool ok = true;
    for (int64_t done = 0; ok && done < count; done += batch) {
        const int64_t left = count - done;
        ok = sampler_run(model->network, plan, &noise, (int)(first + done),
                         (int)(left < batch ? left : batch), images + (size_t)done * dims,
                         &progress, error);
    }
    noise_close(&noise);
    return ok;
}

static bool sample(VarheadModel *model, const VarheadOptions *options, int64_t first, int64_t count,
                   float *images, Error *error)
{
    SamplingPlan plan = {0};
    const uint64_t seed = seed_or(options->seed, network_config(model->network)->seed);
    bool ok = make_plan(&plan, options, model, error) &&
              (count == 0 || (network_prepare(model->network, count, error) &&
                              draw(model, &plan, seed, first, count, images, error)));
    sampling_plan_free(&plan);
    return ok;
}

int varhead_sample(VarheadModel *model, const VarheadOptions *options, int64_t first, int64_t count,
                   float *images, VarheadError *error)
{
    Call call;
    const VarheadOptions used = options_or_defaults(options);
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              check_range(images, first, count, &call.error) &&
              call_uses_threads(&call, model->threads) && call_reads_files(&call, used.try_files) &&
              sample(model, &used, first, count, images, &call.error);
    return call_end(&call, ok, error);
}

/* -- Bytes ------------------------------------------------------------------------------------ */

void varhead_to_bytes(const float *images, size_t elements, uint8_t *bytes)
{
    for (size_t i = 0; i < elements; i++)
        bytes[i] = byte_of_pixel(images[i]);
}

void varhead_from_bytes(const uint8_t *bytes, size_t elements, float *images)
{
    for (size_t i = 0; i < elements; i++)
        images[i] = pixel_of_byte(bytes[i]);
}
