/* Measurements of the steps of training, of sampling and of bounds, as they run in the programs.
 *
 * Each measurement stands beside a lower bound, its floor: for training and sampling the time of
 * the bare convolutions and matrix products, for bounds the bare passes of network and heads, for
 * least squares the bare passes of the trunk, for draws in blocks the step with a diagonal
 * covariance, for a solution one product with its rows, for draws of gms the step of sn, and for
 * draws of full the bare passes of its products. Step and floor are timed in turn, so that a machine
 * that slows down slows both. The medians are reported, and the median of the ratios. */
#pragma once

#include "base/error.h"
#include "config/config.h"

typedef enum Work {
    WORK_STAGE1,
    /* The NPR head by Adam. */
    WORK_STAGE2_ONE,
    /* Both heads by Adam, on one pass of the trunk. */
    WORK_STAGE2_BOTH,
    /* The sums of least squares for both heads. */
    WORK_EXACT,
    /* The same for ocm, whose trunk also runs backward, to its input. The floor is forward. */
    WORK_OCM,
    /* One step of DDPM with a fixed variance. */
    WORK_SAMPLE,
    /* Ten timesteps of the table of 6 variances at K = 10, 25, 50, 100, 200 and 1000. */
    WORK_BOUNDS,
    /* Ten timesteps of the costs of all steps, for the same variances. */
    WORK_DP,
    /* A step of sampling with correlations within blocks of 4x4 pixels. */
    WORK_DRAWS,
    /* The solution of a gamma regression of 16 images. */
    WORK_SOLUTION,
    /* A step of sampling whose noise is a mixture of two Gaussians. */
    WORK_GMS,
    /* The noise of a step with the whole covariance. */
    WORK_FULL,
    WORK_COUNT,
} Work;

const char *work_name(Work work);

typedef struct Task {
    const char *network;
    /* Precision and batches are in it. */
    Config config;
    Work work;
    /* The steps that are timed, after one that is not. */
    int steps;
    /* Print on stdout where the time goes. */
    bool profile;
} Task;

typedef struct Measurement {
    /* Seconds, and the ratio of the two. */
    double step, floor, ratio;
    /* Processor time of a step, in seconds, of all threads together. */
    double processor;
    /* Multiplications and additions of a step's products, as their definitions say, per second of
     * the step, as a share of what the processor reaches in float32 (cpu_peak). Winograd's
     * convolutions do fewer, bfloat16's are faster: it may be above 1. */
    double peak_share;
    /* Bytes that the process has had at most after its first step. */
    double memory;
    /* Images per step. */
    int batch;
} Measurement;

bool measure(const Task *task, Measurement *result, Error *error);
