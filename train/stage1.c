/* Stage 1: the eps-network.
 *
 * One training graph, the U-Net with dropout, and one learner. A step draws a batch, runs the graph
 * forward, takes the loss of objective_eps, whose gradient seeds the backward pass, and runs the
 * graph backward.
 */
#include "train/stages.h"

#include "base/memory.h"
#include "model/precision.h"
#include "model/unet.h"
#include "train/batch.h"

typedef struct Stage1 {
    /* The first field: the loop's callbacks get a pointer to it. */
    Stage stage;
    char *path;
    Batch batch;
    Graph *graph;
    UNet net;
} Stage1;

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
    losses[0] = objective_loss(&objective_eps, &batch, eps_hat, s->batch.losses,
                               value_gradient(s->net.eps));
    prediction_gradient(predicts, &b->schedule, b->t, (size_t)b->size, b->dims,
                        value_gradient(s->net.eps));
    return graph_backward(s->graph, state->gradients, error);
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
    if (config->model.predicts != PREDICTS_EPS)
        graph_keep(s->graph, s->net.x);
    return graph_finish(s->graph, error) && learner_allocate(learner, config->seed, error);
}

static void release(Stage *stage)
{
    Stage1 *s = (Stage1 *)stage;
    graph_free(s->graph);
    batch_free(&s->batch);
    memory_free(s->path);
    memory_free(s);
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
        .release = release,
    };
    *stage = &s->stage;
    if (batch_make(&s->batch, config, 1, config->stage1.batch, error) && build(s, error)) {
        s->stage.images = dataset_name(s->batch.dataset);
        s->stage.images_print = s->batch.print;
        return true;
    }
    stage_free(*stage);
    *stage = NULL;
    return false;
}
