/* Builds a network with two heads as infer does, with the weights of a checkpoint or random
 * ones. */
#include "bench/net.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *const losses[NET_HEADS] = {[NET_NPR] = "npr", [NET_SN] = "sn"};

static float *random_weights(const ParamSet *set, uint64_t seed, Error *error)
{
    float *weights = memory_large(set->size, sizeof *weights, "the network", error);
    if (weights)
        params_initialise(set, seed, weights);
    return weights;
}

/* Small and mostly positive outputs, as those of a trained head. */
static void tame(const ParamSet *set, float *weights)
{
    const Param *weight = &set->items[params_find(set, "conv_out.weight")];
    const Param *bias = &set->items[params_find(set, "conv_out.bias")];
    for (size_t i = 0; i < weight->count; i++)
        weights[weight->offset + i] *= 0.02f;
    for (size_t i = 0; i < bias->count; i++)
        weights[bias->offset + i] = 0.03f;
}

static bool make_head(Net *net, int k, const Config *config, Checkpoint *checkpoint,
                      GraphOptions options, Error *error)
{
    char group[64];
    ParamSet *set = &net->head_params[k];
    snprintf(group, sizeof group, "heads_ema/%s", losses[k]);
    net->head_graphs[k] = graph_new(set, options);
    net->heads[k] = head_build(net->head_graphs[k], config, net->bins.count, net->unet.features,
                               net->unet.temb);
    net->head_weights[k] = checkpoint ? checkpoint_load_params(checkpoint, group, set, error)
                                      : random_weights(set, config->seed, error);
    if (net->head_weights[k] && !checkpoint)
        tame(set, net->head_weights[k]);
    if (!net->head_weights[k] || !graph_finish(net->head_graphs[k], error))
        return false;
    graph_load_weights(net->head_graphs[k], net->head_weights[k]);
    return true;
}

bool net_make(Net *net, const Config *config, Checkpoint *checkpoint, DType type, int images,
              Error *error)
{
    const GraphOptions options = {
        .batch = images, .type = type, .direct = config->convolution == CONVOLUTION_DIRECT};
    *net = (Net){.bins = checkpoint ? *checkpoint_bins(checkpoint)
                                    : time_bins_even(1, config->diffusion.timesteps)};
    net->graph = graph_new(&net->params, options);
    net->unet = unet_build(net->graph, config);
    net->weights = checkpoint ? checkpoint_load_params(checkpoint, "trunk_ema", &net->params, error)
                              : random_weights(&net->params, config->seed, error);
    if (!net->weights || !graph_finish(net->graph, error))
        return false;
    graph_load_weights(net->graph, net->weights);
    for (int k = 0; k < NET_HEADS; k++)
        if (!make_head(net, k, config, checkpoint, options, error))
            return false;
    return true;
}

void net_free(Net *net)
{
    for (int k = 0; k < NET_HEADS; k++) {
        graph_free(net->head_graphs[k]);
        params_free(&net->head_params[k]);
        memory_free(net->head_weights[k]);
    }
    graph_free(net->graph);
    params_free(&net->params);
    memory_free(net->weights);
}

bool net_run(Net *net, const float *x_t, size_t count, double time, int images, Error *error)
{
    double *times = memory_small((size_t)images, sizeof *times);
    for (int i = 0; i < images; i++)
        times[i] = time;
    memcpy(value_data(net->unet.x), x_t, count * sizeof *x_t);
    unet_embed_times(times, images, net->unet.embedding, value_data(net->unet.time));
    memory_free(times);
    bool done = graph_forward(net->graph, 0, error);
    for (int k = 0; done && k < NET_HEADS; k++)
        done = graph_forward(net->head_graphs[k], 0, error);
    return done;
}

bool net_has_head(const char *name)
{
    for (int k = 0; name && k < NET_HEADS; k++)
        if (strcmp(losses[k], name) == 0)
            return true;
    return !name;
}

void net_read_head(const Net *net, int k, int t, int images, float *out)
{
    int *bin = memory_small((size_t)images, sizeof *bin);
    for (int i = 0; i < images; i++)
        bin[i] = time_bins_find(&net->bins, t);
    head_read(&net->heads[k], bin, images, out);
    memory_free(bin);
}
