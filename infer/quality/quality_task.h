/* The cells that infer quality measures, and their values. */
#pragma once

#include "evaluation/quality_meter.h"
#include "inference/sampler.h"

#include <stdbool.h>

typedef struct QualityTask {
    /* [cell_count], by sampler, then variance, its scale, and steps */
    SamplingPlan *cells;
    int cell_count;
    /* [cell_count]: whether eps_scale of the cell is found by a search (quality_tune.h). It is NAN
     * until then. NULL: none is. */
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
