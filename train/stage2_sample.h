/* Heads that are solved for by the likelihood, on a sample of the pass (stats/block_sample.h).
 * Private to stage2_exact.c and stage2_exact_file.c.
 *
 * A loss of gamma regression (variance/objective.h) cannot be summed up beforehand as squares can.
 * So the pass keeps blocks of pixels with their features and residuals, and the regression reads
 * them as often as it needs.
 */
#pragma once

#include "io/checkpoint.h"
#include "stats/block_sample.h"
#include "stats/least_squares.h"
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

/* A regression of one head. All arrays are borrowed. */
typedef struct HeadFit {
    const HeadSample *sample;
    const Objective *loss;
    const Schedule *schedule;
    int bins, outputs, features;
    /* The Gram matrices of each bin's fitted rows, and that of all bins. */
    const NormalSums *own;
    const NormalSums *all;
    /* stage2.ridge. */
    double ridge;
    /* [bins, outputs, features]: the result, in the order of layers/patch_gram.h. */
    double *w;
    /* [bins]: the result, chosen on the first channel. */
    Shrinkage *chosen;
    /* The mean losses of an element on the two parts of the sample: results. NAN without rows. */
    double fitted_loss, held_loss;
} HeadFit;

/* Solves for a head. A run-time error for want of memory, or if numbers are not finite. */
bool head_sample_fit(HeadFit *fit, Error *error);

/* Brings the blocks of all processes to the first one, which keeps those with the smallest keys. The
 * others keep none. A run-time error for want of memory. */
bool head_sample_collect(HeadSample *sample, Error *error);

/* Drops all blocks. */
void head_sample_clear(HeadSample *sample);

/* The sample in a checkpoint: /sample. */
bool head_sample_write(const HeadSample *sample, CheckpointWriter *writer, Error *error);
bool head_sample_read(HeadSample *sample, Checkpoint *checkpoint, Error *error);
