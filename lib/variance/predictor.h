/* Something that predicts the noise in images and the outputs of heads: a network, or in tests a closed form. The code
 * that evaluates variances sees no more of a network than this.
 *
 * A predictor names its heads, and a prediction has an array for each, in the same order:
 *
 *     const int head = predictor_head(&predictor, variance);    -1: it reads none
 *     Prediction prediction = {.eps = eps};
 *     if (head >= 0)
 *         prediction.heads[head] = out;
 *     predictor.predict(predictor.network, x_t, t, count, &prediction, error)
 */
#pragma once

#include "base/error.h"
#include "variance/estimate.h"

#include <string.h>

enum { PREDICTOR_MAX_HEADS = 8 };

/* Where the outputs at x_t go, each [count, dims] in NHWC; NULL: not wanted. A head that nobody wants is not run.
 * Outputs are raw: nothing is clipped or combined. The caller owns the arrays. */
typedef struct Prediction {
    /* The predicted noise. */
    float *eps;
    /* By the number of the head. */
    float *heads[PREDICTOR_MAX_HEADS];
} Prediction;

typedef struct Predictor {
    void *network;
    /* Evaluates image i of x_t [count, dims] at timestep t[i]. */
    bool (*predict)(void *network, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error);
    /* The names of the heads, "sn", borrowed; NULL after the last. */
    const char *heads[PREDICTOR_MAX_HEADS];
    /* Images that are best evaluated at a time. */
    int batch;
    EstimateSource source;
} Predictor;

/* The number of the head that a variance reads; -1 where it reads none, or the predictor does not have it. */
static inline int predictor_head(const Predictor *predictor, const Variance *variance)
{
    for (int i = 0; variance->head && i < PREDICTOR_MAX_HEADS && predictor->heads[i]; i++)
        if (strcmp(predictor->heads[i], variance->head) == 0)
            return i;
    return -1;
}

/* Image `at` / dims of the outputs that the variance reads; NULL where it reads none. */
static inline const float *prediction_of(const Prediction *prediction, int head, size_t at)
{
    return head >= 0 ? prediction->heads[head] + at : NULL;
}
