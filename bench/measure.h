/* Measurements: the steps of training, of sampling and of bounds, timed as they run in the programs, each
 * beside its floor: the time of its convolutions and matrix products alone; of bounds that of the bare
 * passes of network and heads, of the sums of least squares that of the bare passes of the trunk.
 *
 * Both are taken in turn, step by step, so that a machine that slows down slows both; the medians
 * are reported, and the median of the ratios. */
#pragma once

#include "base/error.h"
#include "config/config.h"

typedef enum Work {
    WORK_STAGE1,
    WORK_STAGE2_ONE,  /* the NPR head */
    WORK_STAGE2_BOTH, /* both heads on one pass of the trunk */
    WORK_EXACT,       /* the sums from which both are solved for */
    WORK_SAMPLE,      /* one step of DDPM with a fixed variance */
    WORK_BOUNDS, /* ten timesteps of the table of 6 variances at K = 10, 25, 50, 100, 200 and 1000 */
    WORK_DP,     /* ten timesteps of the costs of all steps, for the same variances */
    WORK_COUNT,
} Work;

const char *work_name(Work work);

typedef struct Task {
    const char *network;
    Config config; /* precision and batches too */
    Work work;
    int steps;    /* that are timed, after one that is not */
    bool profile; /* print where the time goes, on stdout */
} Task;

typedef struct Measurement {
    double step, floor; /* seconds */
    double ratio;       /* of the two */
    double processor;   /* seconds of processor time that a step takes of all threads */
    int batch;          /* images per step */
} Measurement;

bool measure(const Task *task, Measurement *result, Error *error);
