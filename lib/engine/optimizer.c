/* The optimiser's state and its update.
 *
 * The norm of the gradient comes first, in blocks of a fixed size, so that the sum does not depend
 * on the number of threads. An update is then one pass over the flat arrays: each thread takes
 * blocks, and every element is read and written once. The numbers that are the same for all
 * elements are computed in double and rounded once.
 */
#include "engine/optimizer.h"

#include "base/dispatch.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1 << 15 };

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

/* -- The state -------------------------------------------------------------------------------- */

bool optimizer_state_make_fixed(OptimizerState *state, const ParamSet *params, uint64_t seed,
                                const char *what, Error *error)
{
    const size_t size = params->size;
    *state = (OptimizerState){.size = size};
    if (!(state->weights = memory_large(size, sizeof(float), what, error)) ||
        !(state->ema = memory_large(size, sizeof(float), what, error)))
        return false;
    params_initialise(params, seed, state->weights);
    memcpy(state->ema, state->weights, size * sizeof(float));
    return true;
}

bool optimizer_state_make(OptimizerState *state, const ParamSet *params, uint64_t seed,
                          const char *what, Error *error)
{
    return optimizer_state_make_part(state, params, seed, 0, params->size, what, error);
}

bool optimizer_state_make_part(OptimizerState *state, const ParamSet *params, uint64_t seed,
                               size_t first, size_t count, const char *what, Error *error)
{
    const size_t size = params->size;
    *state = (OptimizerState){.size = size};
    if (!(state->weights = memory_large(size, sizeof(float), what, error)) ||
        !(state->gradients = memory_large(size, sizeof(float), what, error)) ||
        !(state->ema = memory_large(count, sizeof(float), what, error)) ||
        !(state->first_moment = memory_large(count, sizeof(float), what, error)) ||
        !(state->second_moment = memory_large(count, sizeof(float), what, error)))
        return false;
    params_initialise(params, seed, state->weights);
    memcpy(state->ema, state->weights + first, count * sizeof(float));
    return true;
}

void optimizer_state_free(OptimizerState *state)
{
    memory_free(state->weights);
    memory_free(state->ema);
    memory_free(state->first_moment);
    memory_free(state->second_moment);
    memory_free(state->gradients);
    *state = (OptimizerState){0};
}

/* -- Updates ---------------------------------------------------------------------------------- */

double optimizer_learning_rate(const OptimizerSettings *settings, int64_t i)
{
    if (i >= settings->warmup)
        return settings->lr;
    return settings->lr * (double)i / (double)settings->warmup;
}

VECTORISED static double block_squares(const float *x, size_t count)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

double optimizer_gradient_norm(const float *gradients, size_t size)
{
    size_t blocks = (size + BLOCK - 1) / BLOCK;
    double *sums = memory_small(blocks + 1, sizeof *sums), total = 0.0;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++) {
        size_t start = b * BLOCK;
        sums[b] = block_squares(gradients + start, size - start < BLOCK ? size - start : BLOCK);
    }
    for (size_t b = 0; b < blocks; b++)
        total += sums[b];
    memory_free(sums);
    return sqrt(total);
}

/* The numbers of one update, rounded once. */
typedef struct Update {
    float scale;              /* of the gradient: clipping */
    float rate, root, eps;    /* w -= rate m / (sqrt(v) root + eps) */
    float keep_ema, take_ema; /* ema = keep_ema ema + take_ema w */
} Update;

VECTORISED static void update_block(float *restrict w, float *restrict ema, float *restrict m,
                                    float *restrict v, const float *restrict g, size_t count,
                                    Update u)
{
    const float keep1 = (float)beta1, take1 = (float)(1.0 - beta1);
    const float keep2 = (float)beta2, take2 = (float)(1.0 - beta2);
    for (size_t i = 0; i < count; i++) {
        float gradient = g[i] * u.scale;
        m[i] = keep1 * m[i] + take1 * gradient;
        v[i] = keep2 * v[i] + take2 * gradient * gradient;
        w[i] -= u.rate * m[i] / (__builtin_sqrtf(v[i]) * u.root + u.eps);
        ema[i] = u.keep_ema * ema[i] + u.take_ema * w[i];
    }
}

void optimizer_update(const OptimizerState *state, const OptimizerSettings *settings, int64_t i,
                      double norm)
{
    const double count = (double)i;
    const double ema = fmin(settings->ema, (1.0 + count) / (10.0 + count));
    const double clip = settings->grad_clip;
    const Update update = {
        .scale = (float)(clip > 0.0 && norm > clip ? clip / norm : 1.0),
        .rate = (float)(optimizer_learning_rate(settings, i) / (1.0 - pow(beta1, count))),
        .root = (float)(1.0 / sqrt(1.0 - pow(beta2, count))),
        .eps = (float)epsilon,
        .keep_ema = (float)ema,
        .take_ema = (float)(1.0 - ema),
    };
    const size_t size = state->size;
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < size; start += BLOCK)
        update_block(state->weights + start, state->ema + start, state->first_moment + start,
                     state->second_moment + start, state->gradients + start,
                     size - start < BLOCK ? size - start : BLOCK, update);
}
