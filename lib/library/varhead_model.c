/* Opening a model, describing it, and running its network. */
#include "base/finite.h"
#include "base/memory.h"
#include "library/varhead_internal.h"
#include "model/precision.h"

#include <omp.h>
#include <stdlib.h>

/* -- Opening ---------------------------------------------------------------------------------- */

/* As many as asked for, and never more than OpenMP will start. */
static int choose_threads(const VarheadOptions *options)
{
    const int wanted = options->threads > 0 ? (int)options->threads : omp_get_max_threads();
    const int limit = omp_get_thread_limit();
    return wanted < limit ? wanted : limit;
}

static void list_variances(VarheadModel *model)
{
    const Variance *kinds[VARIANCE_COUNT];
    const int count = network_variances(model->network, kinds);
    for (int i = 0; i < count; i++)
        model->variances[i] = kinds[i]->name;
}

static bool open_network(VarheadModel **result, const NetworkSource *source,
                         const VarheadOptions *options, Error *error)
{
    NetworkOptions wanted = {.source = *source, .batch = options->batch};
    Network *network = NULL;
    if (!precision_choose(options->precision, &wanted.type, error) ||
        !network_open(&network, &wanted, error))
        return false;
    VarheadModel *model = memory_small(1, sizeof *model);
    model->network = network;
    model->threads = choose_threads(options);
    model->recipe = config_to_yaml(network_config(network));
    list_variances(model);
    *result = model;
    return true;
}

int varhead_open(VarheadModel **model, const char *run, const VarheadOptions *options,
                 VarheadError *error)
{
    Call call;
    const VarheadOptions used = options_or_defaults(options);
    const NetworkSource source = {.run = run};
    if (model)
        *model = NULL;
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              call_has(run, "run", &call.error) && call_reads_files(&call, used.try_files) &&
              open_network(model, &source, &used, &call.error);
    return call_end(&call, ok, error);
}

static bool check_paths(const char *const *paths, int count, Error *error)
{
    if (!call_has(paths, "paths", error))
        return false;
    if (count < 1)
        return error_input(error, "count: expected 1 file or more, got %d", count);
    for (int i = 0; i < count; i++)
        if (!paths[i])
            return error_input(error, "paths: expected the names of %d files, got NULL", count);
    return true;
}

int varhead_open_files(VarheadModel **model, const char *const *paths, int count,
                       const VarheadOptions *options, VarheadError *error)
{
    Call call;
    const VarheadOptions used = options_or_defaults(options);
    const NetworkSource source = {.checkpoints = {.items = (const char **)paths, .count = count}};
    if (model)
        *model = NULL;
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              check_paths(paths, count, &call.error) && call_reads_files(&call, used.try_files) &&
              open_network(model, &source, &used, &call.error);
    return call_end(&call, ok, error);
}

/* oneDNN and HDF5 count what they hold, so closing is a call like the others. */
void varhead_close(VarheadModel *model)
{
    Call call;
    if (!model)
        return;
    call_begin(&call);
    network_close(model->network);
    memory_free(model->recipe);
    memory_free(model);
    call_end(&call, true, NULL);
}

/* -- Describing ------------------------------------------------------------------------------- */

int varhead_resolution(const VarheadModel *model)
{
    return network_config(model->network)->data.resolution;
}

int varhead_channels(const VarheadModel *model)
{
    return network_config(model->network)->data.channels;
}

size_t varhead_dims(const VarheadModel *model)
{
    return network_dims(model->network);
}

int varhead_timesteps(const VarheadModel *model)
{
    return network_schedule(model->network)->timesteps;
}

int64_t varhead_parameters(const VarheadModel *model)
{
    return (int64_t)network_parameters(model->network);
}

const char *varhead_head(const VarheadModel *model, int index)
{
    return index >= 0 && index < network_heads(model->network)
               ? network_head_name(model->network, index)
               : NULL;
}

const char *varhead_variance(const VarheadModel *model, int index)
{
    return index >= 0 && index < VARIANCE_COUNT ? model->variances[index] : NULL;
}

const char *varhead_recipe(const VarheadModel *model)
{
    return model->recipe;
}

/* -- Running ---------------------------------------------------------------------------------- */

static bool check_points(const VarheadModel *model, const float *x, const int *t, int64_t count,
                         Error *error)
{
    const size_t dims = network_dims(model->network);
    const int last = varhead_timesteps(model);
    if (!call_count_is_possible(count, error) || (count > 0 && !call_has(x, "x", error)) ||
        (count > 0 && !call_has(t, "t", error)))
        return false;
    for (int64_t i = 0; i < count; i++)
        if (t[i] < 0 || t[i] > last)
            return error_input(error, "t: expected timesteps from 0 to %d, got %d (entry %lld)",
                               last, t[i], (long long)i);
    const size_t wanted = (size_t)count * dims, found = finite_floats(x, wanted);
    return found == wanted || error_input(error, "x: expected finite numbers, got %g (image %zu)",
                                          (double)x[found], found / dims);
}

static bool predict(VarheadModel *model, const float *x, const int *t, int64_t count, float *eps,
                    float *const *heads, Error *error)
{
    Prediction outputs = {.eps = eps};
    for (int i = 0; heads && i < network_heads(model->network); i++)
        outputs.heads[i] = heads[i];
    return count == 0 || (network_prepare(model->network, count, error) &&
                          network_evaluate(model->network, x, t, (int)count, &outputs, error));
}

int varhead_predict(VarheadModel *model, const float *x, const int *t, int64_t count, float *eps,
                    float *const *heads, VarheadError *error)
{
    Call call;
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              check_points(model, x, t, count, &call.error) &&
              call_uses_threads(&call, model->threads) &&
              predict(model, x, t, count, eps, heads, &call.error);
    return call_end(&call, ok, error);
}
