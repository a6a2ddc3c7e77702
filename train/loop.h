/* The training loop that both stages share.
 *
 * A stage says what is trained (learners), how a step's losses and gradients are computed
 * (evaluate) and what else its checkpoint holds (write_extra). The loop does everything
 * that is the same: optimiser, moving average, metrics, progress, periodic and final checkpoints,
 * exact resume, and stopping on a signal or on a loss that is not finite.
 */
#pragma once

#include "base/error.h"
#include "io/checkpoint.h"
#include "nn/optimizer.h"
#include "nn/params.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_LEARNERS = 2 };

/* One set of weights and the loss it minimises. */
typedef struct Learner {
    const char *target; /* "eps", "sn" or "npr": what it regresses; a column of metrics.csv */
    const char *group;  /* its group in a checkpoint, "trunk" or "heads/sn" */
    const char *ema_group;
    ParamSet params;
    OptimizerState state;
} Learner;

typedef struct Stage Stage;

struct Stage {
    const Config *config;
    int number;       /* 1 or 2 */
    const char *name; /* "stage1", "stage2-sn": of the checkpoint and in metrics.csv */
    const char *run;  /* the run directory */
    const char *path; /* of the checkpoint */
    int64_t steps;    /* how many there are in all */
    int batch;        /* images per step */
    OptimizerSettings settings;
    Learner learners[MAX_LEARNERS];
    int learner_count;

    /* Step `step`, counted from 0: fills losses [learner_count] and every learner's gradients. */
    bool (*evaluate)(Stage *stage, uint32_t step, double *losses, Error *error);

    /* Writes what the checkpoint holds besides the learners; may be NULL. */
    bool (*write_extra)(Stage *stage, CheckpointWriter *writer, Error *error);

    /* Whether `checkpoint`, which agrees with the configuration, can be continued; may be NULL. */
    bool (*check_extra)(Stage *stage, Checkpoint *checkpoint, Error *error);
};

typedef struct LoopOptions {
    bool resume; /* a checkpoint must be there, and is continued */
    bool fresh;  /* a checkpoint that is there is replaced */
    bool quiet;
} LoopOptions;

/* Allocates the state of a learner whose params are complete, its weights as params_initialise. */
bool learner_allocate(Learner *learner, uint64_t seed, Error *error);
void learner_free(Learner *learner);

/* Runs the stage to its last step, or until a signal: the state is saved in both cases. */
bool loop_run(Stage *stage, const LoopOptions *options, Error *error);
