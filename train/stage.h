/* A stage of training, as the loop sees it: what is trained (learners), how a step's losses and
 * gradients are computed (evaluate) and what else its checkpoint holds (write_extra).
 */
#pragma once

#include "base/error.h"
#include "engine/optimizer.h"
#include "engine/params.h"
#include "io/checkpoint.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MAX_LEARNERS = 8, /* as many as infer reads heads, NETWORK_MAX_HEADS */
    LEARNER_GROUP_SIZE = 48,
    STAGE_MAX_SKIPPED = 100, /* in a row: weights that have gone wrong do not mend */
};

/* One set of weights and the loss it minimises. Weights that are solved for, not descended to, have no
 * gradients and no moments. */
typedef struct Learner {
    /* The name of its objective, "eps" or "sn", as in metrics.csv. */
    const char *target;
    /* Its groups in a checkpoint, "trunk" or "heads/sn", "trunk_ema" or "heads_ema/sn". */
    char group[LEARNER_GROUP_SIZE], ema_group[LEARNER_GROUP_SIZE];
    ParamSet params;
    OptimizerState state;
} Learner;

typedef struct Stage Stage;

struct Stage {
    const Config *config;
    int number;         /* 1 or 2 */
    const char *name;   /* "stage1", "stage2-sn": of the checkpoint and in metrics.csv */
    const char *run;    /* the run directory */
    const char *path;   /* of the checkpoint */
    int64_t steps;      /* how many there are in all */
    const char *length; /* the key that says so: "stage1.steps" */
    int batch;          /* images per step */
    double smoothing;   /* of the losses that are shown: the weight of the newest */
    OptimizerSettings settings;
    Learner learners[MAX_LEARNERS];
    int learner_count;
    const char *images;    /* what the training images are called */
    uint64_t images_print; /* their dataset_fingerprint; 0: not known */
    /* What the user should know before it begins, NULL: nothing. */
    const char *note;
    int64_t skipped; /* steps so far in which a learner was not updated (train.on_nonfinite) */
    int64_t skipped_in_a_row; /* of them, those since the last sound step */
    bool exploded; /* a loss or a gradient that is no number, or far too large, ended the run */

    /* Step `step`, counted from 0: fills losses [learner_count] and every learner's gradients, if
     * it has any. */
    bool (*evaluate)(Stage *stage, uint32_t step, double *losses, Error *error);

    /* Called after `step` steps, before each time that the stage is saved; may be NULL. */
    bool (*before_save)(Stage *stage, int64_t step, Error *error);

    /* Writes what the checkpoint holds besides the learners; may be NULL. */
    bool (*write_extra)(Stage *stage, CheckpointWriter *writer, Error *error);

    /* Reads that from `checkpoint`, which agrees with the configuration and is to be continued, or
     * says why it can't be; may be NULL. */
    bool (*read_extra)(Stage *stage, Checkpoint *checkpoint, Error *error);

    /* Says on stdout what came out, once all steps are done; may be NULL. */
    void (*report)(const Stage *stage);

    /* Frees what the stage holds besides the learners, and the stage. */
    void (*release)(Stage *stage);
};

/* Allocates the state of a learner whose params are complete, its weights as params_initialise. */
bool learner_allocate(Learner *learner, uint64_t seed, Error *error);

/* The same for weights that are solved for, zero at first: no moments, no gradients. */
bool learner_allocate_solved(Learner *learner, Error *error);
void learner_free(Learner *learner);

/* Step `step`, counted from 0: losses, gradients and the norms of the gradients of every learner
 * [learner_count], then every learner's update. Where a loss or a norm is not finite, or has exploded, it fails
 * before anything is updated; or, with train.on_nonfinite: skip, it leaves that learner as it was, counts the
 * step in stage->skipped and lets `error` say why. */
bool stage_step(Stage *stage, int64_t step, double *losses, double *norms, Error *error);

void stage_free(Stage *stage); /* NULL is fine */
