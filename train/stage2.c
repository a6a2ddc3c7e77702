/* Stage 2: variance heads on the frozen trunk.
 *
 * The trunk is an inference graph, with the moving average of stage 1's weights, in evaluation mode
 * (unless stage2.trunk_dropout asks for the published code's behaviour). Its features are the inputs
 * of one small training graph per head. No gradient can reach the trunk: it has no backward pass.
 */
#include "stages.h"

#include "base/memory.h"
#include "batch.h"
#include "model/head.h"
#include "model/precision.h"
#include "model/unet.h"

#include <string.h>

typedef struct Stage2 {
    Stage stage; /* first: the loop's callbacks get a pointer to it */
    Batch batch;
    char *name, *path;
    DType type;
    const char *init; /* where the trunk comes from; NULL: it is random */
    ParamSet trunk_params;
    float *trunk_weights;
    Graph *trunk_graph;
    UNet trunk;
    LossKind losses[MAX_LEARNERS];
    Graph *graphs[MAX_LEARNERS];
    Head heads[MAX_LEARNERS];
} Stage2;

static bool train_head(Stage2 *s, int i, uint32_t step, double *loss, Error *error)
{
    OptimizerState *state = &s->stage.learners[i].state;
    if (!graph_load_weights(s->graphs[i], state->weights, error) ||
        !graph_forward(s->graphs[i], step, error))
        return false;
    *loss = loss_mean(s->losses[i], s->batch.eps, value_data(s->trunk.eps),
                      value_data(s->heads[i].out), (size_t)s->batch.size, s->batch.dims,
                      s->batch.losses, value_gradient(s->heads[i].out));
    return graph_backward(s->graphs[i], state->gradients, error);
}

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    if (!batch_draw(&s->batch, step, value_data(s->trunk.x), value_data(s->trunk.time), error) ||
        !graph_forward(s->trunk_graph, step, error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        if (!train_head(s, i, step, &losses[i], error))
            return false;
    return true;
}

/* The file is self-contained: it carries the trunk, bit for bit. */
static bool write_extra(Stage *stage, CheckpointWriter *writer, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    return checkpoint_write_params(writer, "trunk_ema", &s->trunk_params, s->trunk_weights, error);
}

/* A head continues only on the trunk that it began on. */
static bool check_extra(Stage *stage, Checkpoint *checkpoint, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    const size_t size = s->trunk_params.size;
    float *trunk = memory_large(size, sizeof *trunk, "the trunk", error);
    bool done =
        trunk && checkpoint_read_params(checkpoint, "trunk_ema", &s->trunk_params, trunk, error);
    if (done && memcmp(trunk, s->trunk_weights, size * sizeof *trunk) != 0)
        done = error_input(error,
                           "%s: its head was trained on another trunk than %s now holds "
                           "(--fresh starts again and replaces it)",
                           stage->path, s->init);
    memory_free(trunk);
    return done;
}

static bool read_trunk(Stage2 *s, Error *error)
{
    char keys[512];
    Checkpoint *checkpoint = NULL;
    if (!checkpoint_open(&checkpoint, s->init, error))
        return false;
    if (config_differences(checkpoint_config(checkpoint), s->stage.config, CONFIG_NETWORK, keys,
                           sizeof keys))
        error_input(error, "%s: its network has another configuration; these keys differ: %s",
                    s->init, keys);
    else
        s->trunk_weights = checkpoint_load_params(checkpoint, "trunk_ema", &s->trunk_params, error);
    checkpoint_close(checkpoint);
    return s->trunk_weights != NULL;
}

static bool load_trunk(Stage2 *s, Error *error)
{
    if (s->init)
        return read_trunk(s, error);
    s->trunk_weights =
        memory_large(s->trunk_params.size, sizeof *s->trunk_weights, "the trunk", error);
    if (s->trunk_weights)
        params_initialise(&s->trunk_params, s->stage.config->seed, s->trunk_weights);
    return s->trunk_weights != NULL;
}

static bool build_trunk(Stage2 *s, Error *error)
{
    const Config *config = s->stage.config;
    if (!precision_choose(config->precision, &s->type, error))
        return false;
    s->trunk_graph =
        graph_new(&s->trunk_params, (GraphOptions){.batch = config->stage2.batch,
                                                   .type = s->type,
                                                   .dropout = config->stage2.trunk_dropout,
                                                   .seed = config->seed});
    s->trunk = unet_build(s->trunk_graph, config);
    return load_trunk(s, error) && graph_finish(s->trunk_graph, error) &&
           graph_load_weights(s->trunk_graph, s->trunk_weights, error);
}

static bool build_head(Stage2 *s, int i, Error *error)
{
    const Config *config = s->stage.config;
    Learner *learner = &s->stage.learners[i];
    s->graphs[i] = graph_new(&learner->params, (GraphOptions){.batch = config->stage2.batch,
                                                              .type = s->type,
                                                              .weight_gradients = true,
                                                              .dropout = true,
                                                              .seed = config->seed});
    s->heads[i] = head_build(s->graphs[i], config, s->trunk.features, s->trunk.temb);
    graph_seed(s->graphs[i], s->heads[i].out);
    /* A head starts from numbers of its own, not from those of the trunk or of the other head. */
    const uint64_t seed = config->seed + 1 + (uint64_t)s->losses[i];
    return graph_finish(s->graphs[i], error) && learner_allocate(learner, seed, error);
}

static void describe_learner(Stage2 *s, int i, LossKind loss)
{
    static const char *const groups[][2] = {
        [LOSS_SN] = {"heads/sn", "heads_ema/sn"},
        [LOSS_NPR] = {"heads/npr", "heads_ema/npr"},
    };
    s->losses[i] = loss;
    s->stage.learners[i] = (Learner){
        .target = loss_name(loss), .group = groups[loss][0], .ema_group = groups[loss][1]};
}

static void release(Stage *stage)
{
    Stage2 *s = (Stage2 *)stage;
    for (int i = 0; i < stage->learner_count; i++)
        graph_free(s->graphs[i]);
    graph_free(s->trunk_graph);
    params_free(&s->trunk_params);
    memory_free(s->trunk_weights);
    batch_free(&s->batch);
    memory_free(s->path);
    memory_free(s->name);
    memory_free(s);
}

static void describe(Stage2 *s, const Config *config, const char *run, const LossKind *losses,
                     int count)
{
    s->name = count == 1
                  ? memory_format("stage2-%s", loss_name(losses[0]))
                  : memory_format("stage2-%s+%s", loss_name(losses[0]), loss_name(losses[1]));
    s->path = memory_format("%s/%s.h5", run, s->name);
    s->stage = (Stage){
        .config = config,
        .number = 2,
        .name = s->name,
        .run = run,
        .path = s->path,
        .steps = config->stage2.steps,
        .batch = config->stage2.batch,
        .settings = {.lr = config->stage2.lr, .ema = config->stage2.ema},
        .learner_count = count,
        .evaluate = evaluate,
        .write_extra = write_extra,
        .check_extra = check_extra,
        .release = release,
    };
    for (int i = 0; i < count; i++)
        describe_learner(s, i, losses[i]);
}

bool stage2_make(Stage **stage, const Config *config, const char *run, const char *init,
                 const LossKind *losses, int count, Error *error)
{
    Stage2 *s = memory_small(1, sizeof *s);
    s->init = init;
    describe(s, config, run, losses, count);
    *stage = &s->stage;
    bool done =
        build_trunk(s, error) && batch_make(&s->batch, config, 2, config->stage2.batch, error);
    for (int i = 0; done && i < count; i++)
        done = build_head(s, i, error);
    if (!done) {
        stage_free(*stage);
        *stage = NULL;
    }
    return done;
}
