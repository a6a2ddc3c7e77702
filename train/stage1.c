/* Stage 1: the eps-network.
 *
 * With stage1.objective: hybrid the network has a second output, which learns the variance. The loss
 * is then objective_eps + stage1.vlb_weight N objective_vlb (Nichol and Dhariwal 2021): the second
 * term takes eps_hat as a constant, and seeds the gradient of the second output alone.
 *
 * One training graph, the U-Net with dropout, and one learner. A step draws a batch, runs the graph
 * forward, takes the loss of objective_eps, whose gradient seeds the backward pass, and runs the
 * graph backward.
 */
#include "train/stages.h"

#include "base/group.h"
#include "base/memory.h"
#include "model/precision.h"
#include "model/unet.h"
#include "train/batch.h"

#include <string.h>

typedef struct Stage1 {
    /* The first field: the loop's callbacks get a pointer to it. */
    Stage stage;
    char *path;
    Batch batch;
    Graph *graph;
    UNet net;
    /* For hybrid: [batch], the losses of the bound. */
    double *bounds;
    TimeSampler sampler;
    /* For loss_aware: [batch.whole], the timesteps and the losses of all processes' images. */
    int *times;
    double *losses;
} Stage1;

/* gradient [images, dims]: each image's part times its weight. */
static void weigh(const Batch *b, double factor, float *gradient)
{
    for (int i = 0; i < b->size; i++) {
        const double weight = factor * (b->sampler ? time_sampler_weight(b->sampler, b->t[i]) : 1);
        for (size_t j = 0; weight != 1 && j < b->dims; j++)
            gradient[(size_t)i * b->dims + j] =
                (float)(weight * (double)gradient[(size_t)i * b->dims + j]);
    }
}

/* Adds the bound of the second output to the losses of the images, and seeds its gradient. */
static void add_bound(Stage1 *s, const ObjectiveBatch *batch)
{
    const Config *config = s->stage.config;
    const double weight = config->stage1.vlb_weight * config->diffusion.timesteps;
    objective_loss(&objective_vlb, batch, value_data(s->net.v), s->bounds,
                   value_gradient(s->net.v));
    weigh(&s->batch, weight, value_gradient(s->net.v));
    for (int i = 0; i < s->batch.size; i++)
        s->batch.losses[i] += weight * s->bounds[i];
}

/* The share of these images in the mean loss of the whole batch. */
static double weighted_mean(const Batch *b)
{
    double sum = 0;
    for (int i = 0; i < b->size; i++)
        sum += b->losses[i] * (b->sampler ? time_sampler_weight(b->sampler, b->t[i]) : 1);
    return sum / b->whole;
}

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *error)
{
    Stage1 *s = (Stage1 *)stage;
    OptimizerState *state = &stage->learners[0].state;
    graph_load_weights(s->graph, state->weights);
    if (!batch_draw(&s->batch, step, value_data(s->net.x), value_data(s->net.time), error) ||
        !graph_forward(s->graph, step, error))
        return false;
    const Predicts predicts = s->stage.config->model.predicts;
    const Batch *b = &s->batch;
    float *eps_hat = value_data(s->net.eps);
    prediction_to_eps(predicts, &b->schedule, value_data(s->net.x), b->t, (size_t)b->size, b->dims,
                      eps_hat);
    const ObjectiveBatch batch = batch_objective(&s->batch, eps_hat);
    objective_loss(&objective_eps, &batch, eps_hat, s->batch.losses, value_gradient(s->net.eps));
    if (s->stage.config->stage1.objective == STAGE1_HYBRID)
        add_bound(s, &batch);
    weigh(&s->batch, 1, value_gradient(s->net.eps));
    losses[0] = weighted_mean(&s->batch);
    prediction_gradient(predicts, &b->schedule, b->t, (size_t)b->size, b->dims,
                        value_gradient(s->net.eps));
    return graph_backward(s->graph, state->gradients, error);
}

/* The sampler takes note of the losses of the whole batch. */
static void evaluated(Stage *stage)
{
    Stage1 *s = (Stage1 *)stage;
    const Batch *b = &s->batch;
    if (!b->sampler)
        return;
    memcpy(s->times + b->first, b->t, (size_t)b->size * sizeof *s->times);
    memcpy(s->losses + b->first, b->losses, (size_t)b->size * sizeof *s->losses);
    group_gather(s->times, b->whole, sizeof *s->times);
    group_gather(s->losses, b->whole, sizeof *s->losses);
    time_sampler_add(b->sampler, s->times, s->losses, b->whole);
}

static bool make_sampler(Stage1 *s, Error *error)
{
    const size_t whole = (size_t)s->batch.whole;
    s->times = memory_small(whole, sizeof *s->times);
    s->losses = memory_small(whole, sizeof *s->losses);
    s->batch.sampler = &s->sampler;
    return time_sampler_make(&s->sampler, s->stage.config->diffusion.timesteps, error);
}

static bool build(Stage1 *s, Error *error)
{
    const Config *config = s->stage.config;
    Learner *learner = &s->stage.learners[0];
    DType type;
    if (!precision_choose(config->precision, &type, error))
        return false;
    s->graph = graph_new(&learner->params,
                         (GraphOptions){.batch = s->batch.size,
                                        .first = (uint32_t)s->batch.first,
                                        .direct = config->convolution == CONVOLUTION_DIRECT,
                                        .type = type,
                                        .weight_gradients = true,
                                        .dropout = true,
                                        .seed = config->seed});
    s->net = unet_build(s->graph, config);
    graph_seed(s->graph, s->net.eps);
    if (config->stage1.objective == STAGE1_HYBRID) {
        graph_seed(s->graph, s->net.v);
        s->bounds = memory_small((size_t)config->stage1.batch, sizeof *s->bounds);
    }
    if (config->stage1.time_sampling == TIME_LOSS_AWARE && !make_sampler(s, error))
        return false;
    if (config->model.predicts != PREDICTS_EPS)
        graph_keep(s->graph, s->net.x);
    return graph_finish(s->graph, error) &&
           (config->stage1.shard ? learner_allocate_shared
                                 : learner_allocate)(learner, config->seed, s->graph, error);
}

static void release(Stage *stage)
{
    Stage1 *s = (Stage1 *)stage;
    graph_free(s->graph);
    batch_free(&s->batch);
    time_sampler_free(&s->sampler);
    memory_free(s->times);
    memory_free(s->losses);
    memory_free(s->bounds);
    memory_free(s->path);
    memory_free(s);
}

static bool write_extra(Stage *stage, CheckpointWriter *writer, Error *error)
{
    const Stage1 *s = (Stage1 *)stage;
    return !s->batch.sampler || time_sampler_write(&s->sampler, writer, error);
}

static bool read_extra(Stage *stage, Checkpoint *checkpoint, Error *error)
{
    Stage1 *s = (Stage1 *)stage;
    return !s->batch.sampler || time_sampler_read(&s->sampler, checkpoint, error);
}

/* A second output that nothing trains would be noise. */
static bool check_outputs(const Config *config, Error *error)
{
    return config->model.learned == LEARNED_NONE || config->stage1.objective == STAGE1_HYBRID ||
           error_input(error, "model.learned is range, and stage1.objective eps does not train the "
                              "second output; expected stage1.objective hybrid");
}

/* An error of x_0 counts SNR_t times in the loss of eps. The weight of the variational bound stands for
 * N terms. */
static double loss_scale(const Config *config, const Schedule *schedule)
{
    double scale = 1;
    if (config->model.predicts == PREDICTS_X0)
        scale += schedule->alpha_bar[1] / schedule->beta_bar[1];
    if (config->stage1.objective == STAGE1_HYBRID)
        scale += config->stage1.vlb_weight * schedule->timesteps;
    return scale;
}

bool stage1_make(Stage **stage, const Config *config, const char *run, Error *error)
{
    Stage1 *s = memory_small(1, sizeof *s);
    s->path = memory_format("%s/stage1.h5", run);
    s->stage = (Stage){
        .config = config,
        .number = 1,
        .name = "stage1",
        .run = run,
        .path = s->path,
        .steps = config->stage1.steps,
        .length = "stage1.steps",
        .batch = config->stage1.batch,
        .smoothing = 0.02,
        .settings = {.lr = config->stage1.lr,
                     .warmup = config->stage1.warmup,
                     .grad_clip = config->stage1.grad_clip,
                     .ema = config->stage1.ema},
        .learners = {{.target = "eps", .group = "trunk", .ema_group = "trunk_ema"}},
        .learner_count = 1,
        .evaluate = evaluate,
        .evaluated = evaluated,
        .write_extra = write_extra,
        .read_extra = read_extra,
        .release = release,
    };
    if (config->stage1.objective == STAGE1_HYBRID)
        s->stage.learners[0].target = "hybrid";
    if (config->stage1.transport == TRANSPORT_BF16)
        s->stage.learners[0].transport = FLOW_BF16;
    *stage = &s->stage;
    if (check_outputs(config, error) &&
        batch_make(&s->batch, config, 1, config->stage1.batch, error) && build(s, error)) {
        s->stage.images = dataset_name(s->batch.dataset);
        s->stage.images_print = s->batch.print;
        s->stage.loss_scale = loss_scale(config, &s->batch.schedule);
        return true;
    }
    stage_free(*stage);
    *stage = NULL;
    return false;
}
