/* Draws the samples of every cell and measures them. */
#pragma once

#include "evaluation/quality_images.h"
#include "infer/quality/quality_task.h"
#include "infer/quality/quality_tune.h"
#include "inference/network.h"

typedef struct QualityMeasuring {
    Network *network;
    QualityMeter *meter;
    /* For cells whose eps_scale is to be found; NULL if there are none. */
    QualityTuner *tuner;
    const RealImages *real;
    /* The file that keeps all values after every cell; NULL: none. */
    const char *unfinished;
    /* The key of that file. */
    const char *key;
    /* The seed of the samples. */
    uint64_t seed;
    bool fresh, quiet;
} QualityMeasuring;

/* Fills in task->values. The samples of all cells start from the same noise and meet the same
 * noise, as those of infer sample do, and are drawn in batches of the network. A signal stops
 * it: it returns false with an error that says how to go on. */
bool quality_measure(const QualityMeasuring *measuring, const QualityTask *task, Error *error);
