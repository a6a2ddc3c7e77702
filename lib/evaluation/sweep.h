/* Runs a bound (evaluation/bound.h) over all timesteps, with progress, and so that an interruption costs
 * at most a minute: what has been summed is stored from time to time, when a signal comes and in the end,
 * in a file that the same sweep finds when it begins again. Who has made results of the sums removes it.
 */
#pragma once

#include "evaluation/bound.h"

typedef struct SweepOptions {
    const char *what; /* "bound": for the progress */
    const char
        *unfinished; /* the file, which output_check must have passed; NULL: nothing is stored */
    const char *key; /* says all that the sums depend on; a file with another key is not used */
    bool fresh;      /* a file is not used, whatever its key */
    bool quiet;
} SweepOptions;

/* Visits every timestep that the bound needs. */
bool sweep_run(Bound *bound, const BoundTask *task, const Schedule *schedule,
               const SweepOptions *options, Error *error);

/* Removes the file: its sums have become results. */
void sweep_forget(const SweepOptions *options);
