/* The trunk, the heads and the common part of a checkpoint of stage 2.
 *
 * The trunk's graph keeps its features (and, for complex heads, the time embedding). The graph of
 * each head reads them where they lie. The checkpoint carries the trunk bit for bit, and continues
 * only on the very same trunk.
 */
#include "train/stage2.h"

#include "base/fingerprint.h"
#include "base/group.h"
#include "base/memory.h"
#include "model/precision.h"
#include "train/stage2_products.h"
#include "variance/objective_list.h"

#include <stdio.h>
#include <string.h>

/* -- Running ---------------------------------------------------------------------------------- */

bool stage2_run_trunk(Stage2 *s, uint32_t step, Error *error)
{
    for (int i = 0; i < s->batch.size; i++)
        s->bin[i] = time_bins_find(&s->bins, s->batch.t[i]);
    if (!graph_forward(s->trunk_graph, step, error))
        return false;
    prediction_to_eps(s->stage.config->model.predicts, &s->batch.schedule, value_data(s->trunk.x),
                      s->batch.t, (size_t)s->batch.size, s->batch.dims, value_data(s->trunk.eps));
    return !s->products || products_compute(s->trunk_graph, &s->trunk, s->stage.config, &s->batch,
                                            step, s->products, error);
}

ObjectiveBatch stage2_objective_batch(const Stage2 *s)
{
    ObjectiveBatch batch = batch_objective(&s->batch, value_data(s->trunk.eps));
    batch.products = s->products;
    return batch;
}

bool stage2_run_head(Stage2 *s, int i, const float *weights, uint32_t step, Error *error)
{
    graph_load_weights(s->graphs[i], weights);
    if (!graph_forward(s->graphs[i], step, error))
        return false;
    head_read(&s->heads[i], s->bin, s->batch.size, s->output);
    return true;
}

/* -- The checkpoint --------------------------------------------------------------------------- */

bool stage2_write_common(Stage2 *s, CheckpointWriter *writer, Error *error)
{
    /* The file is complete in itself: it carries the trunk, bit for bit. */
    return checkpoint_write_params(writer, "trunk_ema", &s->trunk_params, s->trunk_weights,
                                   error) &&
           (s->bins.count == 1 || checkpoint_write_bins(writer, &s->bins, error));
}

/* A head continues only on the trunk that it began on. */
bool stage2_check_common(Stage2 *s, Checkpoint *checkpoint, Error *error)
{
    const size_t size = s->trunk_params.size;
    float *trunk = memory_large(size, sizeof *trunk, "the trunk", error);
    bool done =
        trunk && checkpoint_read_params(checkpoint, "trunk_ema", &s->trunk_params, trunk, error);
    if (done && memcmp(trunk, s->trunk_weights, size * sizeof *trunk) != 0)
        done = error_input(error,
                           "%s: its head was fitted on another trunk than %s now holds "
                           "(--fresh starts again and replaces it)",
                           s->stage.path, s->task.init);
    memory_free(trunk);
    return done;
}

/* -- The trunk -------------------------------------------------------------------------------- */

static bool read_trunk(Stage2 *s, Error *error)
{
    char keys[512];
    const char *path = s->task.init;
    Checkpoint *checkpoint = NULL;
    if (!checkpoint_open(&checkpoint, path, error))
        return false;
    if (config_differences(checkpoint_config(checkpoint), s->stage.config, CONFIG_NETWORK, keys,
                           sizeof keys))
        error_input(error, "%s: its network has another configuration; these keys differ: %s", path,
                    keys);
    else
        s->trunk_weights = checkpoint_load_params(checkpoint, "trunk_ema", &s->trunk_params, error);
    checkpoint_close(checkpoint);
    if (!s->trunk_weights)
        return false;
    s->stage.beginning = path;
    s->stage.beginning_print = fingerprint(FINGERPRINT_START, s->trunk_weights,
                                           s->trunk_params.size * sizeof *s->trunk_weights);
    return true;
}

static bool load_trunk(Stage2 *s, Error *error)
{
    if (s->task.init)
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
    const GroupShare share = group_share(config->stage2.batch);
    if (!batch_check(2, config->stage2.batch, error) ||
        !precision_choose(config->precision, &s->type, error))
        return false;
    s->trunk_graph =
        graph_new(&s->trunk_params,
                  (GraphOptions){.batch = (int)share.count,
                                 .first = (uint32_t)share.first,
                                 .direct = config->convolution == CONVOLUTION_DIRECT,
                                 .type = s->type,
                                 .input_gradients = products_wanted(s->task.losses, s->task.count),
                                 .dropout = config->stage2.trunk_dropout,
                                 .seed = config->seed});
    s->trunk = unet_build(s->trunk_graph, config);
    if (products_wanted(s->task.losses, s->task.count))
        graph_seed(s->trunk_graph, s->trunk.eps);
    if (config->model.predicts != PREDICTS_EPS)
        graph_keep(s->trunk_graph, s->trunk.x);
    if (!load_trunk(s, error) || !graph_finish(s->trunk_graph, error))
        return false;
    graph_load_weights(s->trunk_graph, s->trunk_weights);
    return true;
}

/* -- The heads -------------------------------------------------------------------------------- */

static bool build_head(Stage2 *s, int i, Error *error)
{
    const Config *config = s->stage.config;
    const bool trains = config->stage2.solver == SOLVER_ADAM;
    s->graphs[i] = graph_new(&s->stage.learners[i].params,
                             (GraphOptions){.batch = s->batch.size,
                                            .first = (uint32_t)s->batch.first,
                                            .direct = config->convolution == CONVOLUTION_DIRECT,
                                            .type = s->type,
                                            .weight_gradients = trains,
                                            .dropout = trains,
                                            .seed = config->seed});
    s->heads[i] = head_build(s->graphs[i], config, s->bins.count, s->trunk.features, s->trunk.temb);
    if (trains)
        graph_seed(s->graphs[i], s->heads[i].out);
    return graph_finish(s->graphs[i], error);
}

static bool make_products(Stage2 *s, Error *error)
{
    s->products =
        memory_large((size_t)s->batch.size * s->batch.dims, sizeof(float), "products", error);
    return s->products != NULL;
}

static bool build_heads(Stage2 *s, Error *error)
{
    const Config *config = s->stage.config;
    if (!batch_make(&s->batch, config, 2, config->stage2.batch, error))
        return false;
    s->stage.images = dataset_name(s->batch.dataset);
    s->stage.images_print = s->batch.print;
    const size_t images = (size_t)s->batch.size;
    s->bins = config_bins(config);
    s->bin = memory_small(images, sizeof *s->bin);
    s->output = memory_large(images * s->batch.dims, sizeof(float), "a head's output", error);
    bool done = s->output != NULL &&
                (!products_wanted(s->task.losses, s->task.count) || make_products(s, error));
    for (int i = 0; done && i < s->stage.learner_count; i++)
        done = build_head(s, i, error);
    return done;
}

/* -- The stage -------------------------------------------------------------------------------- */

void stage2_release(Stage *stage)
{
    Stage2 *s = (Stage2 *)stage;
    for (int i = 0; i < stage->learner_count; i++)
        graph_free(s->graphs[i]);
    graph_free(s->trunk_graph);
    params_free(&s->trunk_params);
    memory_free(s->trunk_weights);
    batch_free(&s->batch);
    memory_free(s->bin);
    memory_free(s->output);
    memory_free(s->gradient);
    memory_free(s->products);
    memory_free(s->path);
    memory_free(s->name);
    memory_free(s);
}

static Learner learner_of(const Objective *loss)
{
    Learner learner = {.target = loss->name};
    snprintf(learner.group, sizeof learner.group, "heads/%s", loss->name);
    snprintf(learner.ema_group, sizeof learner.ema_group, "heads_ema/%s", loss->name);
    return learner;
}

char *stage2_name(const Stage2Task *task)
{
    char *names = objective_list_join(task->losses, task->count, "+");
    char *name = memory_format("stage2-%s", names);
    memory_free(names);
    return name;
}

static Stage2 *describe(const Config *config, const char *run, const Stage2Task *task)
{
    Stage2 *s = memory_small(1, sizeof *s);
    s->task = *task;
    s->name = stage2_name(task);
    s->path = memory_format("%s/%s.h5", run, s->name);
    s->stage = (Stage){
        .config = config,
        .number = 2,
        .name = s->name,
        .run = run,
        .path = s->path,
        .batch = config->stage2.batch,
        .learner_count = task->count,
        .release = stage2_release,
    };
    for (int i = 0; i < task->count; i++)
        s->stage.learners[i] = learner_of(task->losses[i]);
    return s;
}

bool stage2_build(Stage2 **result, const Config *config, const char *run, const Stage2Task *task,
                  Error *error)
{
    Stage2 *s = *result = describe(config, run, task);
    return build_trunk(s, error) && build_heads(s, error);
}
