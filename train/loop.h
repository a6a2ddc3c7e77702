/* The training loop that both stages share: metrics, progress, periodic and final checkpoints,
 * exact resume, and stopping on a signal or on a loss that is not finite.
 */
#pragma once

#include "train/stage.h"

typedef struct LoopOptions {
    /* Requires a checkpoint, and continues it. */
    bool resume;
    /* Replaces a checkpoint if there is one. */
    bool fresh;
    bool quiet;
    /* Prints in the end where the time of a step went. */
    bool profile;
    /* The end of the first line, "bf16 (auto: ...), 2 threads"; NULL for no such line. */
    const char *computes;
    /* The file of the run whose recipe is taken; NULL for no such line. */
    const char *recipe;
} LoopOptions;

/* Runs the stage to its last step, or until a signal: the state is saved in both cases. */
bool loop_run(Stage *stage, const LoopOptions *options, Error *error);
