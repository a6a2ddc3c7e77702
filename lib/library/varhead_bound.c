/* Bounds on the likelihood of a caller's images: one cell of the table that `infer nll` prints,
 * image by image. */
#include "base/memory.h"
#include "evaluation/sweep.h"
#include "inference/full_spectrum.h"
#include "inference/images.h"
#include "library/varhead_internal.h"

#include <math.h>
#include <string.h>

static bool check_images(const VarheadModel *model, const float *images, int64_t count,
                         const double *bits, Error *error)
{
    const size_t dims = network_dims(model->network);
    if (!call_count_is_possible(count, error) ||
        (count > 0 && !(call_has(images, "images", error) && call_has(bits, "bits", error))))
        return false;
    for (size_t i = 0; i < (size_t)count * dims; i++)
        if (!(images[i] >= -1 && images[i] <= 1))
            return error_input(error, "images: expected numbers from -1 to 1, got %g (image %zu)",
                               (double)images[i], i / dims);
    return true;
}

static bool check_options(const VarheadOptions *options, Error *error)
{
    const bool is_dp = options->trajectory == TRAJECTORY_DP;
    if (options->sampler != SAMPLER_DDPM)
        return error_input(error, "sampler: expected ddpm, which bounds are of, got %s",
                           sampler_name(options->sampler));
    if (is_dp && !options_estimate(options).clip)
        return error_input(error, "clip-cov: expected on with the trajectory dp, whose costs have "
                                  "no bound otherwise");
    if (is_dp && options->clip_pixel > 0)
        return error_input(error, "clip-pixel: expected 0 with the trajectory dp: what a step "
                                  "costs would depend on whether it is the last but one");
    return true;
}

/* Gives the task of the variance full its spectra. The network is prepared. */
static bool add_full(const VarheadModel *model, BoundTask *task, FullSpectrum **full, Error *error)
{
    if (!task->variances[0]->reads_jacobian)
        return true;
    task->spectra = full_spectrum_find;
    return full_spectrum_make(full, model->network, &(FullOptions){0}, task->seed, error) &&
           (task->spectra_context = *full) != NULL;
}

/* The network is prepared. */
static bool sweep(const VarheadModel *model, const VarheadOptions *options, BoundTask *task,
                  double *bits, Error *error)
{
    FullSpectrum *full = NULL;
    const EstimateOptions estimate = options_estimate(options);
    const Predictor predictor = network_predictor(model->network, &estimate);
    const SweepOptions quietly = {.what = "bound", .quiet = true};
    Bound *bound = NULL;
    bool ok = add_full(model, task, &full, error) && bound_make(&bound, &predictor, task, error) &&
              sweep_run(bound, task, predictor.source.schedule, &quietly, error);
    if (ok)
        memcpy(bits, bound_sums(bound)->bits, (size_t)task->images * sizeof *bits);
    bound_free(bound);
    full_spectrum_free(full);
    return ok;
}

static bool bound(VarheadModel *model, const VarheadOptions *options, const float *images,
                  int64_t count, double *bits, Error *error)
{
    const Variance *variance;
    int steps, *timesteps = NULL;
    bool ok = check_options(options, error) && options_variance(options, model, &variance, error) &&
              variance_check_bound(variance, error) &&
              options_steps(options, model, &steps, error) &&
              options_timesteps(options, model, variance, steps, &timesteps, error);
    if (ok && count > 0) {
        const BoundCell cell = {
            .trajectory = options->trajectory, .steps = steps, .timesteps = timesteps};
        BoundTask task = {
            .variances = &variance,
            .variance_count = 1,
            .cells = &cell,
            .cell_count = 1,
            .clip_pixel = isnan(options->clip_pixel) ? 0 : options->clip_pixel,
            .images = (int)count,
            .x_0 = images,
            .seed = seed_or(options->seed, network_config(model->network)->seed),
            .split = IMAGES_TEST,
        };
        ok = network_prepare(model->network, count, error) &&
             sweep(model, options, &task, bits, error);
    }
    memory_free(timesteps);
    return ok;
}

int varhead_bound(VarheadModel *model, const VarheadOptions *options, const float *images,
                  int64_t count, double *bits, VarheadError *error)
{
    Call call;
    const VarheadOptions used = options_or_defaults(options);
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              check_images(model, images, count, bits, &call.error) &&
              call_uses_threads(&call, model->threads) && call_reads_files(&call, used.try_files) &&
              bound(model, &used, images, count, bits, &call.error);
    return call_end(&call, ok, error);
}
