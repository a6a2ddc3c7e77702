/* Draws the samples of every cell and measures them. */
#pragma once

#include "evaluation/quality_images.h"
#include "infer/quality/quality_task.h"
#include "inference/network.h"

typedef struct QualityRun {
    Network *network;
    QualityMeter *meter;
    const RealImages *real;
    const char *unfinished; /* what is measured is kept there after every cell; NULL: nowhere */
    const char *key;        /* of that file */
    uint64_t seed;          /* of the samples */
    bool fresh, quiet;
} QualityRun;

/* Fills in task->values. The samples of all cells start from the same noise and meet the same noise, as those
 * of infer sample do, and are as many at a time as the network takes. Stopped by a signal it returns false
 * with an error that says how to go on. */
bool quality_run(const QualityRun *run, const QualityTask *task, Error *error);
