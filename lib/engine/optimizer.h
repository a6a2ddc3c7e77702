/* Adam, gradient clipping and the moving average of the weights, fused: after the norm of the
 * gradient is known, one pass over the flat arrays does it all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The constants of one run. */
typedef struct OptimizerSettings {
    double lr;        /* learning rate after the warm-up */
    int64_t warmup;   /* updates over which it rises linearly from lr / warmup; 0: none */
    double grad_clip; /* largest L2 norm of the gradient; 0: no clipping */
    double ema;       /* rate of the moving average, reached as min(ema, (1 + i)/(10 + i)) */
} OptimizerSettings;

/* The state of one set of weights: flat arrays of `size` elements. */
typedef struct OptimizerState {
    size_t size;
    float *weights, *ema;
    float *first_moment, *second_moment; /* zero before the first update */
    float *gradients;
} OptimizerState;

/* The learning rate of update `i`, counted from 1. */
double optimizer_learning_rate(const OptimizerSettings *settings, int64_t i);

/* The L2 norm of `gradients` [size], summed in double in blocks of a fixed size, so that it does not
 * depend on the number of threads. Not finite if any element is not. */
double optimizer_gradient_norm(const float *gradients, size_t size);

/* Update `i`, counted from 1: Adam (Kingma & Ba 2015; beta 0.9 and 0.999, epsilon 1e-8) on the
 * gradients scaled down to norm grad_clip if `norm` is larger, then the moving average. */
void optimizer_update(const OptimizerState *state, const OptimizerSettings *settings, int64_t i,
                      double norm);
