/* A stage of training, as the loop sees it: the weights that are trained (learners), the function
 * that computes a step's losses and gradients (evaluate), and the functions for the rest of its
 * checkpoint (write_extra, read_extra).
 */
#pragma once

#include "base/error.h"
#include "engine/optimizer.h"
#include "engine/params.h"
#include "io/checkpoint.h"
#include "train/exchange.h"
#include "train/shard.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MAX_LEARNERS = 8, /* as many as infer reads heads, NETWORK_MAX_HEADS */
    LEARNER_GROUP_SIZE = 48,
    STAGE_MAX_SKIPPED = 100, /* steps in a row; then the run ends */
};

/* One set of weights and the loss that it minimises. Weights that are solved for have no gradients
 * and no moments. */
typedef struct Learner {
    /* The name of its objective, "eps" or "sn", as in metrics.csv. */
    const char *target;
    /* Its groups in a checkpoint, "trunk" or "heads/sn", "trunk_ema" or "heads_ema/sn". */
    char group[LEARNER_GROUP_SIZE], ema_group[LEARNER_GROUP_SIZE];
    ParamSet params;
    OptimizerState state;
    /* Sums the gradients over the processes; NULL in a group of one, and without gradients. */
    Exchange *exchange;
    /* What gradients are while they are on their way. */
    FlowNumbers transport;
    /* The slices of the state, if processes share it; else NULL. */
    Shard *shard;
} Learner;

typedef struct Stage Stage;

struct Stage {
    const Config *config;
    /* 1 or 2. */
    int number;
    /* "stage1", "stage2-sn": the name of the checkpoint's file, and the run in metrics.csv. */
    const char *name;
    /* The run directory, and the path of the checkpoint in it. */
    const char *run, *path;
    /* All steps of the run, and the key that sets their number, "stage1.steps"; NULL: more steps
     * cannot continue a complete run. */
    int64_t steps;
    const char *length;
    /* Images per step. */
    int batch;
    /* The weight of the newest loss in the losses that are shown. */
    double smoothing;
    /* How many times larger an untrained network's loss is than it would be if the network predicted
     * eps; 0 means 1. */
    double loss_scale;
    OptimizerSettings settings;
    Learner learners[MAX_LEARNERS];
    int learner_count;
    /* The name of the training images, and their dataset_fingerprint; 0: not known. */
    const char *images;
    uint64_t images_print;
    /* The file that the stage begins with, and a fingerprint of what was read there; NULL: none. */
    const char *beginning;
    uint64_t beginning_print;
    /* A note to the user before the run begins; NULL: none. */
    const char *note;
    /* Steps so far in which a learner was not updated (train.on_nonfinite), and those of them since
     * the last sound step. */
    int64_t skipped, skipped_in_a_row;
    /* Seconds of the last step: exchanging is the time in which this process waited for others or
     * gave and took bytes (group_seconds), computing the rest. */
    double computing, exchanging;
    /* Whether a loss or a gradient that is not finite, or far too large, ended the run. */
    bool exploded;

    /* Step `step`, counted from 0: fills losses [learner_count] and the gradients of every learner
     * that has gradients. Of such learners these are the shares of this process, which stage_step
     * sums; the losses of the others are those of all processes. */
    bool (*evaluate)(Stage *stage, uint32_t step, double *losses, Error *error);

    /* Called after each evaluate that has succeeded in all processes, by all of them; may be NULL. */
    void (*evaluated)(Stage *stage);

    /* Called after `step` steps, before each time that the stage is saved; may be NULL. */
    bool (*before_save)(Stage *stage, int64_t step, Error *error);

    /* Writes the parts of the checkpoint that are no learner; may be NULL. */
    bool (*write_extra)(Stage *stage, CheckpointWriter *writer, Error *error);

    /* Reads these parts from `checkpoint`, which agrees with the configuration and is to be
     * continued. An error if it can't be continued. May be NULL. */
    bool (*read_extra)(Stage *stage, Checkpoint *checkpoint, Error *error);

    /* Prints the results on stdout after the last step; may be NULL. */
    void (*report)(const Stage *stage);

    /* Frees the stage and all that it holds but the learners. */
    void (*release)(Stage *stage);
};

/* Allocates the state of a learner whose params are complete, its weights as params_initialise. The
 * backward pass of `graph`, which computes its gradients, also begins their exchange; in a group of
 * one `graph` may be NULL. */
bool learner_allocate(Learner *learner, uint64_t seed, Graph *graph, Error *error);

/* The same, and the processes share the moving average and the moments (train/shard.h). */
bool learner_allocate_shared(Learner *learner, uint64_t seed, Graph *graph, Error *error);

/* The same for weights that are solved for, zero at first: no moments, no gradients. */
bool learner_allocate_solved(Learner *learner, Error *error);
void learner_free(Learner *learner);

/* Step `step`, counted from 0: losses, gradients and the norms of the gradients of every learner
 * [learner_count], then every learner's update. If a loss or a norm is not finite, or has exploded,
 * the step fails before anything is updated. With train.on_nonfinite: skip it succeeds instead,
 * leaves that learner as it was, counts the step in stage->skipped, and `error` says why. */
bool stage_step(Stage *stage, int64_t step, double *losses, double *norms, Error *error);

void stage_free(Stage *stage); /* NULL is fine */
