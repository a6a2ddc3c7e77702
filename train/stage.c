#include "stage.h"

#include "base/memory.h"
#include "nn/profile.h"

#include <math.h>
#include <string.h>

static bool allocate(Learner *learner, bool optimised, uint64_t seed, Error *error)
{
    const size_t size = learner->params.size, count = optimised ? 5 : 2;
    OptimizerState *state = &learner->state;
    float **arrays[] = {&state->weights, &state->ema, &state->first_moment, &state->second_moment,
                        &state->gradients};
    state->size = size;
    for (size_t i = 0; i < count; i++)
        if (!(*arrays[i] = memory_large(size, sizeof(float), "the parameters", error)))
            return false;
    params_initialise(&learner->params, seed, state->weights);
    memcpy(state->ema, state->weights, size * sizeof(float));
    return true;
}

bool learner_allocate(Learner *learner, uint64_t seed, Error *error)
{
    return allocate(learner, true, seed, error);
}

bool learner_allocate_solved(Learner *learner, uint64_t seed, Error *error)
{
    return allocate(learner, false, seed, error);
}

void learner_free(Learner *learner)
{
    memory_free(learner->state.weights);
    memory_free(learner->state.ema);
    memory_free(learner->state.first_moment);
    memory_free(learner->state.second_moment);
    memory_free(learner->state.gradients);
    params_free(&learner->params);
}

static bool not_finite(const Stage *stage, const char *what, const Learner *learner, double value,
                       int64_t step, Error *error)
{
    return error_runtime(error, "%s: %s of %s is %g at step %lld, training stops", stage->name,
                         what, learner->target, value, (long long)step + 1);
}

/* Whether Adam can use a gradient of this norm: its second moments are floats, and hold squares.
 * Clipping makes any norm small enough. */
static bool is_usable(double norm, const OptimizerSettings *settings)
{
    const double largest = 1e18;
    return settings->grad_clip > 0.0 ? isfinite(norm) : norm <= largest;
}

bool stage_step(Stage *stage, int64_t step, double *losses, double *norms, Error *error)
{
    if (!stage->evaluate(stage, (uint32_t)step, losses, error))
        return false;
    const double begin = profile_begin();
    for (int i = 0; i < stage->learner_count; i++) {
        const Learner *learner = &stage->learners[i];
        norms[i] = learner->state.gradients
                       ? optimizer_gradient_norm(learner->state.gradients, learner->state.size)
                       : 0;
        if (!isfinite(losses[i]))
            return not_finite(stage, "the loss", learner, losses[i], step, error);
        if (!is_usable(norms[i], &stage->settings))
            return not_finite(stage, "the norm of the gradient", learner, norms[i], step, error);
    }
    for (int i = 0; i < stage->learner_count; i++)
        if (stage->learners[i].state.gradients)
            optimizer_update(&stage->learners[i].state, &stage->settings, step + 1, norms[i]);
    profile_end(begin, "optimiser", PROFILE_OTHER);
    return true;
}

void stage_free(Stage *stage)
{
    if (!stage)
        return;
    for (int i = 0; i < stage->learner_count; i++)
        learner_free(&stage->learners[i]);
    stage->release(stage);
}
