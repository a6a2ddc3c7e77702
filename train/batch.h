/* Training batches: images in the order of the epoch, flipped, noised.
 *
 * Everything random in a batch is a function of (seed, stage, step, index in the batch), so a
 * resumed run draws what an uninterrupted one would have drawn, and several processes draw together
 * what one would have drawn.
 */
#pragma once

#include "data/dataset.h"
#include "data/epoch.h"
#include "diffusion/forward.h"
#include "train/time_sampling.h"
#include "variance/objective.h"

#include <stdbool.h>

typedef struct Batch {
    const Config *config;
    /* 1 or 2. */
    int stage;
    /* Images of a batch; those of them that this process draws (base/group.h), and the number of
     * the first; elements of an image. */
    int whole, size, first;
    size_t dims;
    Schedule schedule;
    Dataset *dataset;
    EpochOrder order;
    /* The fingerprint of the data set. */
    uint64_t print;
    /* [size]: the images of the last batch drawn, their timesteps, and these as the network gets
     * them (schedule_model_time). */
    int64_t *indices;
    int *t;
    double *times;
    /* [size]: the images that are drawn next. */
    int64_t *next;
    /* [size, dims]: the noise of the last batch drawn, and its images without noise. */
    float *eps, *x_0;
    /* Draws the timesteps, and belongs to the caller. NULL: timesteps are uniform. */
    TimeSampler *sampler;
    /* [size]: room for the losses of single images. */
    double *losses;
} Batch;

/* An input error if a batch of `whole` images has fewer than one for each process. */
bool batch_check(int stage, int whole, Error *error);

/* Opens the training images of `config`; `whole` images per batch, for stage 1 or 2, of which this
 * process draws its share. */
bool batch_make(Batch *batch, const Config *config, int stage, int whole, Error *error);
void batch_free(Batch *batch);

/* A part of the images and of the timesteps. */
typedef struct BatchRange {
    /* The images: `images` of them in the first epoch's order, from index `position` on. */
    int64_t position, images;
    /* The number of the batch's first image among them. Numbers beyond the last begin again. */
    int64_t first;
    /* The timesteps after < t <= last, spread evenly over the batch's images. */
    int after, last;
} BatchRange;

/* Draws the batch of `step` within a range; results as those of batch_draw. */
bool batch_draw_range(Batch *batch, uint32_t step, const BatchRange *range, float *x_t, float *time,
                      Error *error);

/* Draws the batch of `step`, counted from 0: x_t [size, dims] and the embedded times
 * [size, model.channels]; batch->eps is the noise in x_t. Timesteps are uniform, or those of
 * batch->sampler. */
bool batch_draw(Batch *batch, uint32_t step, float *x_t, float *time, Error *error);

/* The batch drawn last, with the network's prediction eps_hat [size, dims], as objectives see
 * it. */
ObjectiveBatch batch_objective(const Batch *batch, const float *eps_hat);
