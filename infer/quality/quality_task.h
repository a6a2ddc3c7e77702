/* What infer quality measures: cells of a sampler, a variance and a number of steps, and what came out. */
#pragma once

#include "evaluation/quality_meter.h"
#include "inference/sampler.h"

typedef struct QualityTask {
    const SamplingPlan *cells; /* [cell_count], by sampler, then variance, its scale, and steps */
    int cell_count;
    int count;     /* samples of each cell */
    int reference; /* real images that they are compared with; as many others are the floor */
    int columns;   /* 1 + resamples */
    bool wanted[QUALITY_METRICS];
    const FeatureNet *net; /* NULL: no metric needs one */
    const char *data;      /* where the real images are from */
    char *settings;        /* what else the values depend on (command.h) */

    /* [cell_count + 1, QUALITY_METRICS, columns]: row 0 is the floor; NAN: not there yet. */
    double *values;
} QualityTask;

/* The columns of row `row`: 0, the floor, or 1 + the index of a cell. */
static inline double *quality_values(const QualityTask *task, int row, int metric)
{
    return task->values + ((size_t)row * QUALITY_METRICS + (size_t)metric) * (size_t)task->columns;
}
