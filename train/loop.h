/* The training loop that both stages share: metrics, progress, periodic and final checkpoints, exact
 * resume, and stopping on a signal or on a loss that is not finite.
 */
#pragma once

#include "train/stage.h"

typedef struct LoopOptions {
    bool resume; /* a checkpoint must be there, and is continued */
    bool fresh;  /* a checkpoint that is there is replaced */
    bool quiet;
    bool profile; /* in the end, print where the time of a step went */
    /* The end of the first line, "bf16 (auto: ...), 2 threads"; NULL for no such line. */
    const char *computes;
} LoopOptions;

/* Runs the stage to its last step, or until a signal: the state is saved in both cases. */
bool loop_run(Stage *stage, const LoopOptions *options, Error *error);
