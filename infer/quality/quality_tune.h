/* Finds the divisor of eps_hat that makes the samples of a cell best (--tune eps-scale).
 *
 * The search compares with the second half of the real images, and with noise of its own. So the
 * values of the table, which compare with the first half, are those of a choice made elsewhere. */
#pragma once

#include "evaluation/quality_images.h"
#include "evaluation/quality_meter.h"
#include "inference/sampler.h"

/* How often a search draws a cell, and the interval of eps_scale. */
enum { QUALITY_TUNE_DRAWS = 11 };
#define QUALITY_TUNE_LOW 0.97
#define QUALITY_TUNE_HIGH 1.07

typedef struct QualityTuner {
    Network *network;
    const RealImages *real;
    /* NULL: the metric is sliced. */
    Features *features;
    /* Samples of a cell. */
    int count;
    /* Seeds the directions of the metric sliced. */
    uint64_t seed;
    /* The metric that is made least. */
    QualityMetric metric;
    /* Of the tuner's own: the metric alone is wanted. */
    bool wanted[QUALITY_METRICS];
    QualityMeter *meter;
} QualityTuner;

/* What a search works with, borrowed. Each sample of each step counts as one of progress->total. */
typedef struct QualityTuneWork {
    Noise *noise;
    /* [count, dims] */
    float *images;
    Progress *progress;
} QualityTuneWork;

/* The metric of a search: the first of frechet, kid and sliced that is wanted [QUALITY_METRICS]. An
 * input error if none is. */
bool quality_tune_metric(const bool *wanted, QualityMetric *metric, Error *error);

/* Prepares the meter; the other fields must be set. */
bool quality_tuner_make(QualityTuner *tuner, Error *error);
/* Fine on a zeroed struct. */
void quality_tuner_free(QualityTuner *tuner);

/* Sets cell->reverse.correction.eps_scale to the best number found. 1 is tried too. After a failure
 * it is NAN. */
bool quality_tune(QualityTuner *tuner, SamplingPlan *cell, const QualityTuneWork *work,
                  Error *error);
