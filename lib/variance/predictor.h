/* A predictor computes the noise in images, and the outputs of heads. It is a network, or in tests
 * a closed form. Code that evaluates variances uses a network only through this interface.
 *
 * A predictor names its heads. A prediction has an array for each head, in the same order:
 *
 *     const int head = predictor_head(&predictor, variance);    -1: the variance reads no head
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

/* The arrays for the outputs at x_t, each [count, dims] in NHWC; NULL: not wanted. A head is not
 * run if its array is NULL. Outputs are raw, neither clipped nor combined. The caller owns the
 * arrays. */
typedef struct Prediction {
    /* The predicted noise. */
    float *eps;
    /* The output of each head, in the order of Predictor.heads. */
    float *heads[PREDICTOR_MAX_HEADS];
} Prediction;

typedef struct Predictor {
    /* The first argument of predict, borrowed. */
    void *network;
    /* Evaluates the images x_t [count, dims] at the timesteps t [count], one for each image. */
    bool (*predict)(void *network, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error);
    /* The names of the heads ("sn"), borrowed. The entry after the last is NULL, unless all are in
     * use. */
    const char *heads[PREDICTOR_MAX_HEADS];
    /* The number of images that is best for one call of predict. */
    int batch;
    /* The other inputs of estimates. */
    EstimateSource source;
} Predictor;

/* The index of the head that a variance reads; -1 if it reads none, or if the predictor does not
 * have this head. */
static inline int predictor_head(const Predictor *predictor, const Variance *variance)
{
    for (int i = 0; variance->head && i < PREDICTOR_MAX_HEADS && predictor->heads[i]; i++)
        if (strcmp(predictor->heads[i], variance->head) == 0)
            return i;
    return -1;
}

/* The output of head number `head` from element `at` on, where at = dims * (the image's index);
 * NULL if head is -1. */
static inline const float *prediction_of(const Prediction *prediction, int head, size_t at)
{
    return head >= 0 ? prediction->heads[head] + at : NULL;
}
