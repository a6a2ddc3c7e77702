/* Types and functions that the parts of a bound share: cells (bound_cells.c), tables
 * (bound_tables.c) and calibration (calibration.c).
 *
 * A part sums over images at one timestep. All parts have the same verbs:
 *
 *     make            allocates memory, once
 *     begin           begins a timestep
 *     add_...         adds an image, or an estimate for an image; several threads call it, each for
 *                     another image
 *     finish          finishes the timestep: means over images go to the part's sums
 */
#pragma once

#include "base/memory.h"
#include "evaluation/bound_task.h"

#include <math.h>

/* Constant for the whole sweep. */
typedef struct BoundFrame {
    const Predictor *predictor;
    const BoundTask *task;
    const Schedule *schedule;
    size_t dims;
    /* One nat of an image in bits per dimension: 1 / (dims ln 2). */
    double unit;
} BoundFrame;

/* One image at timestep t. */
typedef struct BoundImage {
    int t;
    /* The image's index in the task, and in the batch. */
    int index, slot;
    const float *x_0;
    /* [dims]: the network's prediction of x_0, and r^2 = (x_0 - x_0_hat)^2 with its sum. */
    const double *x_0_hat, *off2;
    double sum_off2;
} BoundImage;

/* The estimate of Cov[x_0 | x_t] by one variance for one image. */
typedef struct BoundEstimate {
    /* Index in BoundTask.variances. */
    int variance;
    /* [dims] each. A diagonal covariance: its elements, and r^2. A covariance with correlations: its
     * eigenvalues, and the squared coefficients of r on its eigenvectors. */
    const float *cov;
    const double *off2;
    /* Whether all elements are equal. */
    bool is_scalar;
    /* [dims]: the diagonal of a covariance with correlations; NULL: it is diagonal. */
    const float *diagonal;
} BoundEstimate;

/* What the estimates of variance v of the task are made of: the predictor's source, with the
 * variance's own floor. */
static inline EstimateSource bound_source(const BoundFrame *frame, int v)
{
    EstimateSource source = frame->predictor->source;
    if (frame->task->floors)
        source.options.floor = frame->task->floors[v];
    return source;
}

/* Fills cov [dims] and off2 [dims] of a covariance with correlations: see BoundEstimate.
 *   diagonal [dims]  the estimates of the elements
 *   off [dims]       scratch */
static inline void bound_rotate(const BoundFrame *frame, const BoundImage *image,
                                const float *diagonal, double *off, float *cov, double *off2)
{
    const BlockCorrelation *correlation = frame->predictor->source.correlation;
    for (size_t i = 0; i < frame->dims; i++)
        off[i] = image->x_0[i] - image->x_0_hat[i];
    block_covariance_rotate(&correlation->shape, block_correlation_at(correlation, image->t),
                            diagonal, off, cov, off2);
}

/* Whether any variance of the task has correlations. */
static inline bool bound_any_correlated(const BoundTask *task)
{
    for (int v = 0; v < task->variance_count; v++)
        if (task->variances[v]->is_correlated)
            return true;
    return false;
}

/* *array [rows, columns] := `value` everywhere. A run-time error if memory runs out. The caller
 * frees it with memory_free. */
static inline bool bound_allocate(double **array, size_t rows, size_t columns, double value,
                                  Error *error)
{
    *array = memory_large(rows, columns * sizeof **array, "bounds", error);
    for (size_t i = 0; *array && i < rows * columns; i++)
        (*array)[i] = value;
    return *array != NULL;
}

/* The mean of `count` values and its standard error; the error is NaN for a single value. */
static inline void bound_mean_and_error(const double *values, int count, double *mean,
                                        double *error)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    *mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *error = count > 1 ? sqrt(squares / (count - 1) / count) : NAN;
}
