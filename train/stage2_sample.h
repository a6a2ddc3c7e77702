/* The sample of the pass (stats/block_sample.h) that heads are solved from by the likelihood.
 *
 * A loss of gamma regression (variance/objective.h) cannot be summed up beforehand as squares can.
 * So the pass keeps blocks of pixels with their features and residuals, and the regression reads
 * them as often as it needs (stage2_gamma.h).
 */
#pragma once

#include "io/checkpoint.h"
#include "stats/block_sample.h"
#include "train/stage2.h"

/* The sample of a stage. */
typedef struct HeadSample {
    /* Of the fitted and of the held-out images, with a group for each bin. */
    BlockSample *fitted, *held;
    /* [batch, dims]: x_0 - x_0_hat of the batch; and its features [batch, h, w, features]. */
    float *residuals, *features;
} HeadSample;

/* The size of a sample. */
typedef struct HeadSampleSize {
    BlockSampleShape shape;
    int bins, batch;
    /* Bytes of all blocks. */
    double bytes;
    /* The batches that each bin will get. */
    int64_t fitted, held;
} HeadSampleSize;

/* An empty sample; it fails for want of memory. The caller frees it in either case. */
bool head_sample_make(HeadSample *sample, const HeadSampleSize *size, Error *error);
void head_sample_free(HeadSample *sample);

/* Brings the blocks of all processes to the first one, which keeps those with the smallest keys. The
 * others keep none. A run-time error for want of memory. */
bool head_sample_collect(HeadSample *sample, Error *error);

/* Drops all blocks. */
void head_sample_clear(HeadSample *sample);

/* The sample in a checkpoint: /sample. */
bool head_sample_write(const HeadSample *sample, CheckpointWriter *writer, Error *error);
bool head_sample_read(HeadSample *sample, Checkpoint *checkpoint, Error *error);
