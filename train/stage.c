/* A step of a stage: losses and gradients, then the decision whether they are sound, then the
 * updates.
 *
 * Each process has computed its share of the batch, and the sums over the processes have begun
 * meanwhile (train/exchange.h). After them all have the same gradients, and
 * so decide the same and update their copies of the weights alike, or each its slice of them
 * (train/shard.h).
 *
 * The decision comes before any update, so that a step that stops the run has changed nothing. A
 * loss or a norm that is not finite, or far too large, is unsound: weights that have gone wrong
 * never mend, and the last checkpoint is good.
 */
#include "train/stage.h"

#include "base/clock.h"
#include "base/group.h"
#include "engine/profile.h"

#include <math.h>
#include <string.h>

static const char weights_name[] = "the parameters"; /* in errors */

static bool begin_exchange(Learner *learner, Graph *graph, Error *error)
{
    const OptimizerState *state = &learner->state;
    if (!exchange_make(&learner->exchange, state->gradients, state->size, learner->transport,
                       error))
        return false;
    exchange_follow(learner->exchange, graph);
    return true;
}

bool learner_allocate(Learner *learner, uint64_t seed, Graph *graph, Error *error)
{
    return optimizer_state_make(&learner->state, &learner->params, seed, weights_name, error) &&
           begin_exchange(learner, graph, error);
}

bool learner_allocate_shared(Learner *learner, uint64_t seed, Graph *graph, Error *error)
{
    OptimizerState *state = &learner->state;
    size_t first, count;
    if (!shard_make(&learner->shard, &learner->params, error))
        return false;
    if (!learner->shard)
        return learner_allocate(learner, seed, graph, error);
    shard_slice(learner->shard, &first, &count);
    return optimizer_state_make_part(state, &learner->params, seed, first, count, weights_name,
                                     error) &&
           begin_exchange(learner, graph, error);
}

bool learner_allocate_solved(Learner *learner, Error *error)
{
    OptimizerState *state = &learner->state;
    if (!optimizer_state_make_fixed(state, &learner->params, 0, weights_name, error))
        return false;
    memset(state->weights, 0, state->size * sizeof(float));
    memset(state->ema, 0, state->size * sizeof(float));
    return true;
}

void learner_free(Learner *learner)
{
    exchange_free(learner->exchange);
    shard_free(learner->shard);
    optimizer_state_free(&learner->state);
    params_free(&learner->params);
}

/* Whether Adam can use a gradient of this norm: its second moments are floats, and hold squares.
 * Clipping makes any finite norm small enough. */
static bool is_usable(double norm, const OptimizerSettings *settings)
{
    const double largest = 1e18;
    return settings->grad_clip > 0.0 ? isfinite(norm) : norm <= largest;
}

/* A network of eps or v that predicts 0 everywhere has a loss of 1 to 3 per dimension, and a head is
 * not far from that. A thousand per dimension means that the weights are lost. */
static bool has_exploded(const Stage *stage, double loss)
{
    const double side = stage->config->data.resolution;
    const double scale = stage->loss_scale > 0 ? stage->loss_scale : 1;
    return loss > 1000 * scale * side * side * stage->config->data.channels;
}

/* Whether a learner can be updated; if not, the error says why. */
static bool is_sound(const Stage *stage, const Learner *learner, double loss, double norm,
                     int64_t step, Error *error)
{
    const bool optimised = learner->state.gradients != NULL;
    const char *what = !isfinite(loss) || (optimised && has_exploded(stage, loss)) ? "the loss"
                       : !is_usable(norm, &stage->settings) ? "the norm of the gradient"
                                                            : NULL;
    if (what == NULL)
        return true;
    double value = strcmp(what, "the loss") == 0 ? loss : norm;
    return error_runtime(error, "%s: %s of %s is %g at step %lld%s", stage->name, what,
                         learner->target, value, (long long)step + 1,
                         isfinite(value) ? ", it has exploded" : "");
}

/* Whether the run goes on after a step in which a learner was unsound. The error names the
 * learner. */
static bool may_go_on(Stage *stage, Error *error)
{
    if (stage->config->train.on_nonfinite == NONFINITE_STOP) {
        stage->exploded = true;
        return error_add(error, ", training stops");
    }
    stage->skipped++;
    if (++stage->skipped_in_a_row < STAGE_MAX_SKIPPED)
        return true;
    stage->exploded = true;
    return error_add(error, ", the last of %d in succession that were skipped, training stops",
                     STAGE_MAX_SKIPPED);
}

/* Bytes that the norms and the updates move: gradients are read twice; weights, moving averages and
 * both moments are read and written. */
static double optimiser_bytes(const Stage *stage)
{
    double numbers = 0.0;
    for (int i = 0; i < stage->learner_count; i++)
        if (stage->learners[i].state.gradients)
            numbers += 10.0 * (double)stage->learners[i].state.size;
    return numbers * sizeof(float);
}

/* Ends the sums of the gradients, which the backward passes have begun. */
static void finish_gradients(const Stage *stage)
{
    for (int i = 0; i < stage->learner_count; i++)
        exchange_finish(stage->learners[i].exchange);
}

/* Sums the losses of learners with gradients, of which each process knows its share. */
static void sum_losses(const Stage *stage, double *losses)
{
    for (int i = 0; i < stage->learner_count; i++)
        if (stage->learners[i].state.gradients)
            group_sum_doubles(&losses[i], 1);
}

/* Losses and gradients of the whole batch. A process that has failed takes part in the exchange all
 * the same. The sums end before the processes agree: one that waits to agree adds up no pieces, for
 * which another would wait in its backward pass. */
static bool evaluate(Stage *stage, int64_t step, double *losses, Error *error)
{
    const bool done = stage->evaluate(stage, (uint32_t)step, losses, error);
    const double profiled = profile_begin();
    finish_gradients(stage);
    if (!group_agree(done, error))
        return false;
    sum_losses(stage, losses);
    if (stage->evaluated)
        stage->evaluated(stage);
    if (group_size() > 1)
        profile_end(profiled, "sums over processes", PROFILE_OTHER);
    return true;
}

/* Update `i`. Where processes share the state, each updates its slice, and gets the others' weights. */
static void update(const Stage *stage, const Learner *learner, int64_t i, double norm)
{
    if (!learner->shard) {
        optimizer_update(&learner->state, &stage->settings, i, norm);
        return;
    }
    const OptimizerState slice = shard_of_state(learner->shard, &learner->state);
    optimizer_update(&slice, &stage->settings, i, norm);
    shard_gather(learner->shard, learner->state.weights);
}

static bool run_step(Stage *stage, int64_t step, double *losses, double *norms, Error *error)
{
    bool sound[MAX_LEARNERS] = {false}, all_sound = true;
    if (!evaluate(stage, step, losses, error))
        return false;
    const double begin = profile_begin();
    for (int i = stage->learner_count - 1; i >= 0; i--) { /* so that the error names the first */
        const Learner *learner = &stage->learners[i];
        norms[i] = learner->state.gradients
                       ? optimizer_gradient_norm(learner->state.gradients, learner->state.size)
                       : 0;
        sound[i] = is_sound(stage, learner, losses[i], norms[i], step, error);
        all_sound = all_sound && sound[i];
    }
    if (all_sound)
        stage->skipped_in_a_row = 0;
    else if (!may_go_on(stage, error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        if (sound[i] && stage->learners[i].state.gradients)
            update(stage, &stage->learners[i], step + 1, norms[i]);
    profile_bytes(optimiser_bytes(stage));
    profile_end(begin, "optimiser", PROFILE_OTHER);
    return true;
}

bool stage_step(Stage *stage, int64_t step, double *losses, double *norms, Error *error)
{
    const double begin = clock_seconds(), before = group_seconds();
    const bool done = run_step(stage, step, losses, norms, error);
    if (done)
        group_barrier(); /* the others may still update their weights */
    stage->exchanging = group_seconds() - before;
    stage->computing = clock_seconds() - begin - stage->exchanging;
    return done;
}

void stage_free(Stage *stage)
{
    if (!stage)
        return;
    for (int i = 0; i < stage->learner_count; i++)
        learner_free(&stage->learners[i]);
    stage->release(stage);
}
