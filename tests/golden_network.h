/* A golden checkpoint's network as a Predictor (evaluation/bound.h), built without the program
 * `infer`. */
#pragma once

#include "tests/suite.h"

#include "base/memory.h"
#include "evaluation/bound.h"
#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

enum { GOLDEN_HEADS = 2 };
static const char *const golden_heads[GOLDEN_HEADS] = {"sn", "npr"};

/* The trunk and its heads sn and npr, for batches of a fixed size. */
typedef struct GoldenNetwork {
    Config config;
    ParamSet params, head_params[GOLDEN_HEADS];
    Graph *graph, *head_graphs[GOLDEN_HEADS];
    UNet unet;
    Head heads[GOLDEN_HEADS];
    float *weights, *head_weights[GOLDEN_HEADS];
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

static inline void golden_head(GoldenNetwork *net, Checkpoint *checkpoint, int head)
{
    Error error = {0};
    char group[64];
    net->head_graphs[head] =
        graph_new(&net->head_params[head], (GraphOptions){.batch = net->batch});
    net->heads[head] =
        head_build(net->head_graphs[head], &net->config, 1, net->unet.features, net->unet.temb);
    snprintf(group, sizeof group, "heads_ema/%s", golden_heads[head]);
    net->head_weights[head] = golden_weights(checkpoint, group, &net->head_params[head]);
    must(graph_finish(net->head_graphs[head], &error), &error);
    graph_load_weights(net->head_graphs[head], net->head_weights[head]);
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
    for (int head = 0; head < GOLDEN_HEADS; head++)
        golden_head(net, checkpoint, head);
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
    for (int head = 0; head < GOLDEN_HEADS; head++) {
        graph_free(net->head_graphs[head]);
        params_free(&net->head_params[head]);
        memory_free(net->head_weights[head]);
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
    unet_embed_times(times, net->batch, net->unet.embedding, value_data(net->unet.time));
    memory_free(times);
    if (!graph_forward(net->graph, 0, error))
        return false;
    memcpy(prediction->eps, value_data(net->unet.eps), bytes);
    for (int head = 0; head < GOLDEN_HEADS; head++)
        if (prediction->heads[head]) {
            if (!graph_forward(net->head_graphs[head], 0, error))
                return false;
            memcpy(prediction->heads[head], value_data(net->heads[head].out), bytes);
        }
    return true;
}

static inline Predictor golden_predictor(GoldenNetwork *net)
{
    return (Predictor){.network = net,
                       .predict = golden_predict,
                       .heads = {golden_heads[0], golden_heads[1]},
                       .batch = net->batch,
                       .source = {.schedule = &net->schedule,
                                  .dims = net->dims,
                                  .ms_eps = net->ms_eps,
                                  .clip_x0 = true,
                                  .options = estimate_defaults()}};
}
