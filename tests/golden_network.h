/* A golden checkpoint's network as a Predictor (evaluation/bound.h), built without the program `infer`. */
#pragma once

#include "tests/suite.h"

#include "base/memory.h"
#include "evaluation/bound.h"
#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

/* The trunk and its heads sn and npr, for batches of a fixed size. */
typedef struct GoldenNetwork {
    Config config;
    ParamSet params, head_params[VARIANCE_KINDS];
    Graph *graph, *head_graphs[VARIANCE_KINDS];
    UNet unet;
    Head heads[VARIANCE_KINDS];
    float *weights, *head_weights[VARIANCE_KINDS];
    double *ms_eps; /* NULL where the file has none */
    Schedule schedule;
    int batch;
    size_t dims;
} GoldenNetwork;

static inline float *golden_weights(Checkpoint *checkpoint, const char *group, const ParamSet *set)
{
    Error error = {0};
    float *weights = memory_small(set->size, sizeof *weights);
    must(checkpoint_read_params(checkpoint, group, set, weights, &error), &error);
    return weights;
}

static inline void golden_head(GoldenNetwork *net, Checkpoint *checkpoint, VarianceKind kind)
{
    Error error = {0};
    char group[64];
    net->head_graphs[kind] =
        graph_new(&net->head_params[kind], (GraphOptions){.batch = net->batch});
    net->heads[kind] =
        head_build(net->head_graphs[kind], &net->config, 1, net->unet.features, net->unet.temb);
    snprintf(group, sizeof group, "heads_ema/%s", variance_head(kind));
    net->head_weights[kind] = golden_weights(checkpoint, group, &net->head_params[kind]);
    must(graph_finish(net->head_graphs[kind], &error), &error);
    graph_load_weights(net->head_graphs[kind], net->head_weights[kind]);
}

static inline void golden_network_make(GoldenNetwork *net, const char *path, int batch)
{
    Error error = {0};
    Checkpoint *checkpoint = NULL;
    *net = (GoldenNetwork){.batch = batch};
    must(checkpoint_open(&checkpoint, path, &error), &error);
    net->config = *checkpoint_config(checkpoint);
    const size_t side = (size_t)net->config.data.resolution;
    net->dims = side * side * (size_t)net->config.data.channels;
    must(schedule_make(&net->schedule, net->config.diffusion.schedule,
                       net->config.diffusion.timesteps, &error),
         &error);
    net->graph = graph_new(&net->params, (GraphOptions){.batch = batch});
    net->unet = unet_build(net->graph, &net->config);
    net->weights = golden_weights(checkpoint, "trunk_ema", &net->params);
    must(graph_finish(net->graph, &error), &error);
    graph_load_weights(net->graph, net->weights);
    golden_head(net, checkpoint, VARIANCE_SN);
    golden_head(net, checkpoint, VARIANCE_NPR);
    if (checkpoint_has(checkpoint, "analytic/ms_eps")) {
        int count = net->schedule.timesteps + 1;
        net->ms_eps = memory_small((size_t)count, sizeof *net->ms_eps);
        must(checkpoint_read_doubles(checkpoint, "analytic/ms_eps", count, net->ms_eps, &error),
             &error);
    }
    checkpoint_close(checkpoint);
}

static inline void golden_network_free(GoldenNetwork *net)
{
    for (int kind = 0; kind < VARIANCE_KINDS; kind++) {
        graph_free(net->head_graphs[kind]);
        params_free(&net->head_params[kind]);
        memory_free(net->head_weights[kind]);
    }
    graph_free(net->graph);
    params_free(&net->params);
    schedule_free(&net->schedule);
    memory_free(net->weights);
    memory_free(net->ms_eps);
}

/* One batch, or less of it. */
static inline bool golden_predict(void *context, const float *x_t, const int *t, int count,
                                  const Prediction *prediction, Error *error)
{
    GoldenNetwork *net = context;
    const size_t bytes = (size_t)count * net->dims * sizeof *x_t;
    double *times = memory_small((size_t)net->batch, sizeof *times);
    for (int i = 0; i < count; i++)
        times[i] = schedule_model_time(&net->schedule, t[i]);
    memcpy(value_data(net->unet.x), x_t, bytes);
    unet_embed_times(times, net->batch, net->config.model.channels, value_data(net->unet.time));
    memory_free(times);
    if (!graph_forward(net->graph, 0, error))
        return false;
    memcpy(prediction->eps, value_data(net->unet.eps), bytes);
    for (int kind = 0; kind < VARIANCE_KINDS; kind++)
        if (prediction->heads[kind]) {
            if (!graph_forward(net->head_graphs[kind], 0, error))
                return false;
            memcpy(prediction->heads[kind], value_data(net->heads[kind].out), bytes);
        }
    return true;
}

static inline Predictor golden_predictor(GoldenNetwork *net)
{
    return (Predictor){.network = net,
                       .predict = golden_predict,
                       .batch = net->batch,
                       .source = {.schedule = &net->schedule,
                                  .dims = net->dims,
                                  .ms_eps = net->ms_eps,
                                  .clip_x0 = true,
                                  .options = estimate_defaults()}};
}
