/* Finds the correction of the mean that makes the samples of a cell best (--tune eps-scale, --tune dcw).
 *
 * The search compares with the second half of the real images, and with noise of its own. So the
 * values of the table, which compare with the first half, are those of a choice made elsewhere. */
#pragma once

#include "diffusion/mean_correction.h"
#include "evaluation/quality_images.h"
#include "evaluation/quality_meter.h"
#include "inference/sampler.h"

/* What is searched for: nothing, the divisor of eps_hat, or the two strengths of DCW. */
typedef enum QualityTune {
    QUALITY_TUNE_NOTHING,
    QUALITY_TUNE_EPS_SCALE,
    QUALITY_TUNE_DCW
} QualityTune;

/* One number that a search finds. */
typedef struct TunedNumber {
    /* As in MeanCorrection and in files: "eps_scale". */
    const char *name;
    /* The value that changes nothing, and the interval of the search. */
    double neutral, least, most;
    /* Of the number in MeanCorrection. */
    size_t offset;
} TunedNumber;

/* The numbers that a search finds, [*count], in their order. */
const TunedNumber *quality_tuned_numbers(QualityTune what, int *count);

/* The number in a correction. */
double *quality_tuned_number(const TunedNumber *number, MeanCorrection *correction);

/* Whether all numbers of a search are those that change nothing. */
bool quality_tuned_is_neutral(QualityTune what, const MeanCorrection *correction);

/* Makes all numbers of a search those that change nothing, or NAN: to be found. */
void quality_tuned_reset(QualityTune what, MeanCorrection *correction);
void quality_tuned_mark(QualityTune what, MeanCorrection *correction);

/* How often a search draws a cell. */
int quality_tune_draws(QualityTune what);

typedef struct QualityTuner {
    QualityTune what;
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

/* Sets the numbers of the search in cell->reverse.correction to the best ones found. Those that change
 * nothing are tried too. After a failure they are NAN. */
bool quality_tune(QualityTuner *tuner, SamplingPlan *cell, const QualityTuneWork *work,
                  Error *error);
