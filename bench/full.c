/* The cost of a step of full: the noise by Krylov spaces of ten dimensions. Its floor is the bare
 * passes of the trunk that the products with the Jacobian are made of. */
#include "base/clock.h"
#include "base/directory.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/runner.h"
#include "inference/full_noise.h"
#include "io/checkpoint.h"
#include "model/precision.h"
#include "model/unet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A step takes 51 passes, so few images are enough. */
enum { MOST_IMAGES = 8 };

typedef struct FullRunner {
    Runner runner;
    ParamSet params;
    float *weights;
    Network *network;
    FullNoise *full;
    /* Of the bare passes: forward, and forward and backward to the input. */
    Graph *forward, *both;
    size_t dims;
    /* [batch, dims] */
    float *x, *z, *noise;
} FullRunner;

static bool draw(Runner *runner, int step, Error *error)
{
    FullRunner *r = (FullRunner *)runner;
    const Schedule *schedule = network_schedule(r->network);
    const int t = schedule->timesteps / 2;
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const ReverseStep move = reverse_step(schedule, &options, t - 20, t);
    (void)step;
    return full_noise_draw(r->full, &move, r->x, runner->batch, r->z, r->noise, error);
}

static double bare_passes(Runner *runner, int step)
{
    FullRunner *r = (FullRunner *)runner;
    Error none = {0}; /* it has just gone well */
    const double begin = clock_seconds();
    (void)step;
    for (int j = 0; j < FULL_DEFAULT_KRYLOV; j++) {
        graph_forward(r->forward, 0, &none);
        graph_forward(r->forward, 0, &none);
        graph_forward(r->both, 0, &none);
        graph_backward(r->both, NULL, &none);
    }
    return clock_seconds() - begin;
}

static bool make_graph(FullRunner *r, Graph **graph, const Config *config, DType type,
                       bool gradients, Error *error)
{
    const GraphOptions options = {.batch = r->runner.batch,
                                  .type = type,
                                  .direct = config->convolution == CONVOLUTION_DIRECT,
                                  .input_gradients = gradients};
    *graph = graph_new(&r->params, options);
    const UNet unet = unet_build(*graph, config);
    if (gradients)
        graph_seed(*graph, unet.eps);
    if (!r->weights) {
        if (!(r->weights = memory_large(r->params.size, sizeof(float), "the network", error)))
            return false;
        params_initialise(&r->params, config->seed, r->weights);
    }
    if (!graph_finish(*graph, error))
        return false;
    graph_load_weights(*graph, r->weights);
    return true;
}

/* Writes the random weights to a file of the temporary directory, which the network is opened from and
 * which is removed at once. */
static bool open_network(FullRunner *r, const Config *config, DType type, Error *error)
{
    char *path = memory_format("%s/varhead-bench-XXXXXX", directory_temporary());
    const int file = mkstemp(path);
    CheckpointWriter *writer = NULL;
    bool ok = file >= 0 || error_runtime(error, "%s: cannot be made: %s", path, strerror(errno));
    if (file >= 0) {
        close(file);
        unlink(path); /* only its name was wanted */
    }
    ok = ok && checkpoint_create(&writer, path, config, 1, 0, error);
    if (ok && checkpoint_write_params(writer, "trunk_ema", &r->params, r->weights, error))
        ok = checkpoint_commit(writer, error);
    else
        checkpoint_discard(writer), ok = false;
    NetworkOptions options = {.batch = r->runner.batch,
                              .type = type,
                              .direct = config->convolution == CONVOLUTION_DIRECT};
    string_list_add(&options.source.checkpoints, path);
    ok = ok && network_open(&r->network, &options, error) &&
         network_prepare(r->network, r->runner.batch, error);
    unlink(path);
    string_list_free(&options.source.checkpoints);
    memory_free(path);
    return ok;
}

bool full_make(Runner **runner, const Task *task, Error *error)
{
    const Config *config = &task->config;
    const size_t side = (size_t)config->data.resolution;
    const int images = (int)config->stage1.batch;
    FullRunner *r = memory_small(1, sizeof *r);
    DType type;
    *runner = &r->runner;
    r->runner = (Runner){
        .batch = images < MOST_IMAGES ? images : MOST_IMAGES, .step = draw, .floor = bare_passes};
    r->dims = side * side * (size_t)config->data.channels;
    float **const arrays[] = {&r->x, &r->z, &r->noise};
    const size_t count = (size_t)r->runner.batch;
    for (int i = 0; i < 3; i++)
        if (!(*arrays[i] = memory_large(count, r->dims * sizeof(float), "samples", error)))
            return false;
    random_normal((RandomKey){.purpose = RANDOM_SAMPLE_START}, r->x, count * r->dims);
    random_normal((RandomKey){.purpose = RANDOM_SAMPLE_NOISE}, r->z, count * r->dims);
    return precision_choose(config->precision, &type, error) &&
           make_graph(r, &r->forward, config, type, false, error) &&
           make_graph(r, &r->both, config, type, true, error) &&
           open_network(r, config, type, error) &&
           full_noise_make(&r->full, r->network, r->runner.batch, FULL_DEFAULT_KRYLOV, error);
}

void full_free(Runner *runner)
{
    FullRunner *r = (FullRunner *)runner;
    if (!r)
        return;
    full_noise_free(r->full);
    network_close(r->network);
    graph_free(r->forward);
    graph_free(r->both);
    params_free(&r->params);
    memory_free(r->weights);
    memory_free(r->x);
    memory_free(r->z);
    memory_free(r->noise);
    memory_free(r);
}
