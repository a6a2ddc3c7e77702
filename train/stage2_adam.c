/* Heads by Adam, as published (Bao et al. 2022b).
 *
 * Every head is a small training graph of its own, on the features of one pass of the trunk. So
 * heads that train together are, bit for bit, the heads that train alone.
 */
#include "train/stage2.h"

#include "base/memory.h"
#include "train/stage2_correlation.h"

#include <string.h>

static bool train_head(Stage2 *s, int i, uint32_t step, double *loss, Error *error)
{
    const OptimizerState *state = &s->stage.learners[i].state;
    if (!stage2_run_head(s, i, state->weights, step, error))
        return false;
    const ObjectiveBatch batch = stage2_objective_batch(s);
    *loss = objective_loss(s->task.losses[i], &batch, s->output, s->batch.losses, s->gradient);
    head_seed_gradient(&s->heads[i], s->bin, s->gradient);
    return graph_backward(s->graphs[i], state->gradients, error);
}

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    if (!batch_draw(&s->batch, step, value_data(s->trunk.x), value_data(s->trunk.time), error) ||
        !stage2_run_trunk(s, step, error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        if (!train_head(s, i, step, &losses[i], error))
            return false;
    return true;
}

/* Correlations are fitted once, to the last weights. */
static bool before_save(Stage *stage, int64_t step, Error *error)
{
    return step < stage->steps || correlation_measure((Stage2 *)stage, error);
}

static bool write_extra(Stage *stage, CheckpointWriter *writer, Error *error)
{
    return stage2_write_common((Stage2 *)stage, writer, error) &&
           correlation_write((Stage2 *)stage, writer, error);
}

static bool read_extra(Stage *stage, Checkpoint *checkpoint, Error *error)
{
    return stage2_check_common((Stage2 *)stage, checkpoint, error);
}

static void report(const Stage *stage)
{
    correlation_report((const Stage2 *)stage);
}

static void release(Stage *stage)
{
    correlation_free((Stage2 *)stage);
    stage2_release(stage);
}

/* -- The start -------------------------------------------------------------------------------- */

/* The bins have to be the same: each is a last layer of its own. */
static bool check_bins(const Stage2 *s, Checkpoint *checkpoint, Error *error)
{
    const TimeBins *bins = checkpoint_bins(checkpoint);
    if (memcmp(bins, &s->bins, sizeof *bins) == 0)
        return true;
    return error_input(
        error,
        "%s: expected heads with a last layer for each of stage2.time_bins = %d bins, "
        "found %d",
        s->task.heads, s->bins.count, bins->count);
}

static bool read_heads(Stage2 *s, Error *error)
{
    Checkpoint *checkpoint = NULL;
    bool ok =
        checkpoint_open(&checkpoint, s->task.heads, error) && check_bins(s, checkpoint, error);
    for (int i = 0; ok && i < s->stage.learner_count; i++) {
        Learner *learner = &s->stage.learners[i];
        ok = checkpoint_read_params(checkpoint, learner->ema_group, &learner->params,
                                    learner->state.weights, error);
        memcpy(learner->state.ema, learner->state.weights, learner->state.size * sizeof(float));
    }
    checkpoint_close(checkpoint);
    return ok;
}

bool stage2_adam_begin(Stage2 *s, Error *error)
{
    const Config *config = s->stage.config;
    s->stage.steps = config->stage2.steps;
    s->stage.length = "stage2.steps";
    s->stage.smoothing = 0.02;
    s->stage.settings = (OptimizerSettings){.lr = config->stage2.lr, .ema = config->stage2.ema};
    s->stage.evaluate = evaluate;
    s->stage.before_save = before_save;
    s->stage.write_extra = write_extra;
    s->stage.read_extra = read_extra;
    s->stage.report = report;
    s->stage.release = release;
    s->gradient = memory_large((size_t)s->batch.size * s->batch.dims, sizeof(float),
                               "a head's gradient", error);
    bool done = s->gradient != NULL;
    for (int i = 0; done && i < s->stage.learner_count; i++)
        done = learner_allocate(&s->stage.learners[i],
                                config->seed + s->task.losses[i]->seed_offset, s->graphs[i], error);
    return done && (!s->task.heads || read_heads(s, error));
}
