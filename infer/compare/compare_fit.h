/* What it took to fit the head that a variance reads: read from metrics.csv of the run directory, which
 * has a row for each step of every training. */
#pragma once

#include "infer/compare/compare_task.h"

/* Images that the training has seen, and its seconds. NaN: the log has no rows of it. */
typedef struct CompareFit {
    double images, seconds;
} CompareFit;

/* The last training of each head, in the order of the network's heads: fits [PREDICTOR_MAX_HEADS]. For
 * the second output of a network it is stage 1. Heads that were trained together share a pass, and
 * each has the time of all. The seconds of steps count, and the seconds of saving and solving do not. A log
 * that is missing or damaged leaves NaN. */
void compare_fits(const Comparison *c, CompareFit *fits);
