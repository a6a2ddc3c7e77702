/* Something that predicts the noise in images and the outputs of heads: a network, or in tests a closed form. What
 * evaluates variances sees no more of a network than this. */
#pragma once

#include "base/error.h"
#include "variance/estimate.h"

/* Where the outputs at x_t go, each [count, dims]. */
typedef struct Prediction {
    float *eps;
    float *heads[VARIANCE_KINDS]; /* of the variances that read a head; NULL: not wanted */
} Prediction;

/* A network with its heads, or something in its place: tests put closed forms there. */
typedef struct Predictor {
    void *network;
    bool (*predict)(void *network, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error);
    int batch; /* images that are best evaluated at a time */
    EstimateSource source;
} Predictor;
