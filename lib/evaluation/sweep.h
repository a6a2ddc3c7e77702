/* Runs a bound (evaluation/bound.h) over all timesteps and shows progress. The sums are saved to a
 * file every minute, on a signal, and at the end. The same sweep, started again, continues from
 * that file. Call sweep_forget once the results are written.
 */
#pragma once

#include "evaluation/bound.h"

typedef struct SweepOptions {
    /* Named in the progress: "bound". */
    const char *what;
    /* The file of the sums, checked with output_check or atomic_file_possible; NULL: nothing is
     * saved. */
    const char *unfinished;
    /* A text of everything that the sums depend on. A file with another key is ignored. NULL goes with
     * no file. */
    const char *key;
    /* Whether a file is ignored, whatever its key. */
    bool fresh;
    bool quiet;
} SweepOptions;

/* Visits every timestep that the bound needs. An error if a signal stops the sweep, if the file is
 * damaged or can't be written, or if a visit fails. */
bool sweep_run(Bound *bound, const BoundTask *task, const Schedule *schedule,
               const SweepOptions *options, Error *error);

/* Removes the file. Call this after the results are written. */
void sweep_forget(const SweepOptions *options);
