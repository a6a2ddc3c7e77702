/* The cells that infer quality measures, and their values. */
#pragma once

#include "evaluation/quality_meter.h"
#include "inference/sampler.h"

typedef struct QualityTask {
    const SamplingPlan *cells; /* [cell_count], by sampler, then variance, its scale, and steps */
    int cell_count;
    int count; /* samples of each cell */
    /* Real images that the samples are compared with. As many others take the place of samples
     * in row 0. */
    int reference;
    int columns; /* 1 + resamples */
    bool wanted[QUALITY_METRICS];
    const FeatureNet *net; /* NULL: no metric needs one */
    const char *data;      /* where the real images are from */
    char *settings;        /* all else that they depend on (results.h) */

    /* [cell_count + 1, QUALITY_METRICS, columns]; row 0: real images; NAN: not
     * measured yet. */
    double *values;
} QualityTask;

/* The columns of a metric in row 0, real images, or row 1 + c, cell c. */
static inline double *quality_values(const QualityTask *task, int row, int metric)
{
    return task->values + ((size_t)row * QUALITY_METRICS + (size_t)metric) * (size_t)task->columns;
}
