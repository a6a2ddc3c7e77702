/* Adam, gradient clipping and the moving average of the weights, fused: after the norm of the
 * gradient is known, one pass over the flat arrays does it all.
 */
#pragma once

#include "base/error.h"
#include "engine/params.h"

#include <stddef.h>
#include <stdint.h>

/* The constants of one run. */
typedef struct OptimizerSettings {
    /* The learning rate after the warm-up. */
    double lr;
    /* Updates over which the learning rate rises linearly from lr / warmup. 0: no warm-up. */
    int64_t warmup;
    /* The largest L2 norm of the gradient. 0: no clipping. */
    double grad_clip;
    /* The rate of the moving average, reached as min(ema, (1 + i)/(10 + i)). */
    double ema;
} OptimizerSettings;

/* The state of one set of weights: flat arrays of `size` elements, which the state owns. */
typedef struct OptimizerState {
    size_t size;
    float *weights, *ema;
    /* Zero before the first update. NULL, like the gradients, for weights that no optimiser
     * updates. */
    float *first_moment, *second_moment;
    float *gradients;
} OptimizerState;

/* Allocates a state for `params`. Weights and their average begin as params_initialise(seed) says.
 * `what` names the memory in the error. After a failure the state is for optimizer_state_free. */
bool optimizer_state_make(OptimizerState *state, const ParamSet *params, uint64_t seed,
                          const char *what, Error *error);

/* The same, but the average and the moments have `count` numbers, those of the parameters from `first`
 * on: for processes that share them (train/shard.h). */
bool optimizer_state_make_part(OptimizerState *state, const ParamSet *params, uint64_t seed,
                               size_t first, size_t count, const char *what, Error *error);

/* The same without moments and gradients: for weights that are computed in another way. */
bool optimizer_state_make_fixed(OptimizerState *state, const ParamSet *params, uint64_t seed,
                                const char *what, Error *error);

/* Releases the arrays; NULL arrays are fine. */
void optimizer_state_free(OptimizerState *state);

/* The learning rate of update `i`, counted from 1. */
double optimizer_learning_rate(const OptimizerSettings *settings, int64_t i);

/* The L2 norm of `gradients` [size], summed in double in blocks of a fixed size, so that it does
 * not depend on the number of threads. Not finite if any element is not. */
double optimizer_gradient_norm(const float *gradients, size_t size);

/* Update `i`, counted from 1: Adam (Kingma & Ba 2015; beta 0.9 and 0.999, epsilon 1e-8) on the
 * gradients scaled down to norm grad_clip if `norm` is larger, then the moving average. */
void optimizer_update(const OptimizerState *state, const OptimizerSettings *settings, int64_t i,
                      double norm);
