/* Reads a network from checkpoint files.
 *
 * The first file gives the trunk. Each further file is compared with it. If it has the same
 * trunk, its heads and constants are added, unless they are there already. Files of a run come
 * newest first (run_files.c), so what is there already is newer. */
#include "base/memory.h"
#include "base/note.h"
#include "inference/network_internal.h"
#include "inference/run_files.h"
#include "io/correlation_file.h"

#include <stdio.h>
#include <string.h>

void network_shapes(const Config *config, int bins, ParamSet *trunk, ParamSet *head)
{
    /* Builders register parameters; graphs that are never finished cost next to nothing. */
    params_init(trunk);
    params_init(head);
    Graph *trunk_graph = graph_new(trunk, (GraphOptions){.batch = 1});
    Graph *head_graph = graph_new(head, (GraphOptions){.batch = 1});
    UNet unet = unet_build(trunk_graph, config);
    head_build(head_graph, config, bins, unet.features, unet.temb);
    graph_free(head_graph);
    graph_free(trunk_graph);
}

/* -- The trunk -------------------------------------------------------------------------------- */

static bool adopt_trunk(Network *network, Checkpoint *checkpoint, const ParamSet *set, Error *error)
{
    network->path = memory_string(checkpoint_path(checkpoint));
    network->config = *checkpoint_config(checkpoint);
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        params_add(&network->params, param->name, param->rank, param->shape, param->init,
                   param->fan_in);
    }
    network->weights = checkpoint_load_params(checkpoint, "trunk_ema", set, error);
    if (network->config.model.learned != LEARNED_NONE)
        network->heads[network->head_count++] =
            (NetworkHead){.name = memory_string("learned"),
                          .path = memory_string(network->path),
                          .is_output = true,
                          .config = network->config,
                          .bins = time_bins_even(1, network->config.diffusion.timesteps)};
    const Config *config = &network->config;
    return network->weights && config_make_schedule(&network->schedule, config, error) &&
           (config->data.format != DATA_MIXTURE ||
            mixture_builtin(&network->mixture, config->data.resolution, config->data.channels,
                            error));
}

bool network_compare_trunk(const Network *network, Checkpoint *checkpoint, const ParamSet *set,
                           bool *same, char *difference, size_t size, Error *error)
{
    char keys[256];
    *same = false;
    if (config_differences(&network->config, checkpoint_config(checkpoint), CONFIG_NETWORK, keys,
                           sizeof keys) > 0) {
        snprintf(difference, size, "in the configuration: %s", keys);
        return true;
    }
    float *weights = checkpoint_load_params(checkpoint, "trunk_ema", set, error);
    if (!weights)
        return false;
    *same = true;
    for (int i = 0; *same && i < set->count; i++) {
        const Param *param = &set->items[i];
        *same = memcmp(weights + param->offset, network->weights + param->offset,
                       param->count * sizeof *weights) == 0;
        if (!*same)
            snprintf(difference, size, "first in trunk_ema/%s", param->name);
    }
    memory_free(weights);
    return true;
}

/* -- Heads and constants ---------------------------------------------------------------------- */

static bool add_head(Network *network, Checkpoint *checkpoint, const char *name,
                     const ParamSet *set, Error *error)
{
    const char *path = checkpoint_path(checkpoint);
    if (strcmp(name, "eps") == 0)
        return error_input(error,
                           "%s:/heads_ema/eps: a head can't have the name of the trunk's "
                           "own output",
                           path);
    if (network->head_count == PREDICTOR_MAX_HEADS)
        return error_input(error, "%s: expected at most %d heads in all", path,
                           PREDICTOR_MAX_HEADS);

    char *group = memory_format("heads_ema/%s", name);
    float *weights = checkpoint_load_params(checkpoint, group, set, error);
    memory_free(group);
    if (!weights)
        return false;

    NetworkHead *head = &network->heads[network->head_count++];
    *head = (NetworkHead){.name = memory_string(name),
                          .path = memory_string(path),
                          .config = *checkpoint_config(checkpoint),
                          .bins = *checkpoint_bins(checkpoint),
                          .size = set->size,
                          .weights = weights};
    return !correlation_file_has(checkpoint, name) ||
           correlation_file_read(checkpoint, name, &head->correlation, error);
}

/* A run that solves for its heads saves sums before it has a solution. The heads in such a file
 * are zeros. */
static bool has_solution(Checkpoint *checkpoint)
{
    return !checkpoint_has(checkpoint, "least_squares/sums") ||
           checkpoint_has(checkpoint, "fit/images");
}

static bool leave_out_heads(const RunFiles *files, const Checkpoint *checkpoint, Error *error)
{
    static const char why[] = "they are not solved for yet; train --stage 2 goes on with it";
    const char *path = checkpoint_path(checkpoint);
    if (!files->is_run)
        return error_input(error, "%s: has no heads that can be used: %s", path, why);
    note("leaves out the heads of %s: %s", path, why);
    return true;
}

static bool add_heads(Network *network, const RunFiles *files, Checkpoint *checkpoint,
                      const ParamSet *set, Error *error)
{
    if (!has_solution(checkpoint))
        return leave_out_heads(files, checkpoint, error);
    for (int i = 0; i < checkpoint_heads(checkpoint); i++) {
        const char *name = checkpoint_head(checkpoint, i), *path = checkpoint_path(checkpoint);
        int earlier = network_find_head(network, name);
        if (earlier < 0) {
            if (!add_head(network, checkpoint, name, set, error))
                return false;
        } else if (files->is_run) {
            note("takes the %s head of %s, which is newer than the one of %s", name,
                 network->heads[earlier].path, path);
        } else {
            return error_input(error, "%s: has an %s head, and so has %s: expected only one", path,
                               name, network->heads[earlier].path);
        }
    }
    return true;
}

/* The constants depend on the trunk alone, so they may come from any file with this trunk. */
static bool read_ms_eps(Network *network, Checkpoint *checkpoint, Error *error)
{
    static const char name[] = "analytic/ms_eps";
    if (network->ms_eps || !checkpoint_has(checkpoint, name))
        return true;
    int count = network->config.diffusion.timesteps + 1;
    network->ms_eps = memory_small((size_t)count, sizeof *network->ms_eps);
    return checkpoint_read_doubles(checkpoint, name, count, network->ms_eps, error);
}

/* The file has [N + 1, C, H, W]; here they are NHWC like every image. */
static bool read_ms_eps_diag(Network *network, Checkpoint *checkpoint, Error *error)
{
    static const char name[] = "analytic/ms_eps_diag";
    if (network->ms_eps_diag || !checkpoint_has(checkpoint, name))
        return true;
    const int64_t channels = network->config.data.channels, side = network->config.data.resolution;
    const int64_t dims[] = {network->config.diffusion.timesteps + 1, channels, side, side};
    const size_t elements = network_dims(network), pixels = (size_t)(side * side);
    float *stored = checkpoint_read_floats(checkpoint, name, 4, dims, error);
    if (stored)
        network->ms_eps_diag = memory_large((size_t)dims[0] * elements, sizeof(float), name, error);
    for (size_t row = 0; network->ms_eps_diag && row < (size_t)dims[0]; row++)
        for (size_t i = 0; i < elements; i++)
            network->ms_eps_diag[row * elements + i % pixels * (size_t)channels + i / pixels] =
                stored[row * elements + i];
    memory_free(stored);
    return network->ms_eps_diag != NULL;
}

static void remember_file(Network *network, const char *path)
{
    network->files = memory_grow(network->files, (size_t)network->file_count + 1, sizeof(char *));
    network->files[network->file_count++] = memory_string(path);
}

/* -- Files ------------------------------------------------------------------------------------ */

/* A file with another trunk. If the user named it, that is a mistake; in a run directory it
 * comes from an earlier or a later stage 1. */
static bool refuse_file(const Network *network, const RunFiles *files, Checkpoint *checkpoint,
                        const char *difference, Error *error)
{
    const char *path = checkpoint_path(checkpoint);
    if (!files->is_run)
        return error_input(error, "%s: its network is not that of %s, they differ %s", path,
                           network->path, difference);
    if (checkpoint_stage(checkpoint) == 1)
        note("takes the network in %s; the one in %s was trained on since, and "
             "heads are for the network that they were trained with",
             network->path, path);
    else
        note("leaves out the heads of %s: they are for another network than %s, "
             "which is newer",
             path, network->path);
    return true;
}

static bool add_file(Network *network, const RunFiles *files, const char *path, Error *error)
{
    Checkpoint *checkpoint = NULL;
    if (!checkpoint_open(&checkpoint, path, error))
        return false;
    ParamSet trunk, head;
    network_shapes(checkpoint_config(checkpoint), checkpoint_bins(checkpoint)->count, &trunk,
                   &head);

    char difference[320] = "";
    bool same = true;
    bool ok = network->weights ? network_compare_trunk(network, checkpoint, &trunk, &same,
                                                       difference, sizeof difference, error)
                               : adopt_trunk(network, checkpoint, &trunk, error);
    if (ok && same)
        ok = add_heads(network, files, checkpoint, &head, error) &&
             read_ms_eps(network, checkpoint, error) &&
             read_ms_eps_diag(network, checkpoint, error);
    else if (ok)
        ok = refuse_file(network, files, checkpoint, difference, error);
    if (ok && same)
        remember_file(network, path);
    params_free(&trunk);
    params_free(&head);
    checkpoint_close(checkpoint);
    return ok;
}

const char *network_arithmetic(const NetworkOptions *options)
{
    return options->type == DTYPE_BF16 ? "bf16" : options->direct ? "f32 direct" : "f32";
}

bool network_open(Network **result, const NetworkOptions *options, Error *error)
{
    *result = NULL;
    RunFiles files;
    if (!run_files_find(&files, &options->source, error))
        return false;
    Network *network = memory_small(1, sizeof *network);
    network->origin = memory_string(files.origin);
    network->is_run = files.is_run;
    network->max_batch = (int)options->batch;
    network->type = options->type;
    network->direct = options->direct;

    bool ok = true;
    for (int i = 0; ok && i < files.count; i++)
        ok = add_file(network, &files, files.paths[i], error);
    run_files_free(&files);
    if (ok)
        *result = network;
    else
        network_close(network);
    return ok;
}

void network_close(Network *network)
{
    if (!network)
        return;
    network_release_graphs(network);
    for (int i = 0; i < network->head_count; i++) {
        NetworkHead *head = &network->heads[i];
        memory_free(head->name);
        memory_free(head->path);
        memory_free(head->weights);
        memory_free(head->correlation.matrix);
        params_free(&head->params);
    }
    params_free(&network->params);
    memory_free(network->weights);
    memory_free(network->ms_eps);
    memory_free(network->ms_eps_diag);
    for (int i = 0; i < network->file_count; i++)
        memory_free(network->files[i]);
    memory_free(network->files);
    schedule_free(&network->schedule);
    mixture_free(&network->mixture);
    memory_free(network->path);
    memory_free(network->origin);
    memory_free(network);
}
