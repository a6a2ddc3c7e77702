/* Training batches: images in the order of the epoch, flipped, noised.
 *
 * Everything random in a batch is a function of (seed, stage, step, index in the batch), so a
 * resumed run draws what an uninterrupted one would have drawn.
 */
#pragma once

#include "data/dataset.h"
#include "data/epoch.h"
#include "diffusion/forward.h"
#include "variance/objective.h"

#include <stdbool.h>

typedef struct Batch {
    const Config *config;
    int stage, size; /* images */
    size_t dims;     /* elements of an image */
    Schedule schedule;
    Dataset *dataset;
    EpochOrder order;
    uint64_t print;   /* the fingerprint of the data set */
    int64_t *indices; /* [size] */
    int *t;           /* [size] */
    double *times;    /* [size]: what the network is told */
    float *eps;       /* [size, dims]: the noise of the last batch drawn */
    double *losses;   /* [size]: room for the losses of single images */
} Batch;

/* Opens the training images of `config`; `size` images per batch, for stage 1 or 2. */
bool batch_make(Batch *batch, const Config *config, int stage, int size, Error *error);
void batch_free(Batch *batch);

/* A batch of some timesteps only. */
typedef struct BatchRange {
    int64_t position,
        images;      /* of the first epoch's images: the first, after so many come round again */
    int64_t first;   /* number of the batch's first image among those */
    int after, last; /* timesteps: after < t <= last, spread evenly over the batch's images */
} BatchRange;

/* Draws the batch of `step` within a range; results as those of batch_draw. */
bool batch_draw_range(Batch *batch, uint32_t step, const BatchRange *range, float *x_t, float *time,
                      Error *error);

/* Draws the batch of `step`, counted from 0: x_t [size, dims] and the embedded times
 * [size, model.channels]; batch->eps is the noise in x_t. */
bool batch_draw(Batch *batch, uint32_t step, float *x_t, float *time, Error *error);

/* The batch drawn last, with the network's prediction eps_hat [size, dims], as objectives see it. */
ObjectiveBatch batch_objective(const Batch *batch, const float *eps_hat);
