/* The cells that infer quality measures, and their values. */
#pragma once

#include "evaluation/quality_meter.h"
#include "infer/quality/quality_tune.h"
#include "inference/sampler.h"

#include <stdbool.h>

typedef struct QualityTask {
    /* [cell_count], by sampler, then variance, its scale, and steps */
    SamplingPlan *cells;
    int cell_count;
    /* What searches find (quality_tune.h), and [cell_count] whether one finds that of the cell, which
     * is NAN until then. NULL: there is no search. */
    QualityTune tune;
    bool *tuned;
    /* Samples of each cell. */
    int count;
    /* Real images that the samples are compared with. As many others take the place of samples
     * in row 0. */
    int reference;
    /* 1 + resamples */
    int columns;
    bool wanted[QUALITY_METRICS];
    /* NULL: no metric needs one. */
    const Features *features;
    /* Where the real images are from. */
    const char *data;
    /* All else that they depend on (results.h). */
    char *settings;
    /* The fingerprint of the test images' data set. */
    uint64_t images_print;

    /* [cell_count + 1, QUALITY_METRICS, columns]; row 0: real images; NAN: not
     * measured yet. */
    double *values;
} QualityTask;

static inline bool quality_is_tuned(const QualityTask *task, int cell)
{
    return task->tuned && task->tuned[cell];
}

/* The columns of a metric in row 0, real images, or row 1 + c, cell c. */
static inline double *quality_values(const QualityTask *task, int row, int metric)
{
    return task->values + ((size_t)row * QUALITY_METRICS + (size_t)metric) * (size_t)task->columns;
}
