/* The two stages of training (Bao et al. 2022b, section 5).
 *
 * Both build their graphs and describe themselves as a Stage, for the loop to run; stage_free
 * frees them. `config` and the strings must outlive them.
 */
#pragma once

#include "train/stage.h"
#include "variance/objective.h"

/* Stage 1: trains the eps-network by ||eps - eps_hat||^2 and saves `run`/stage1.h5. */
bool stage1_make(Stage **stage, const Config *config, const char *run, Error *error);

/* What stage 2 is to fit, and from what. */
typedef struct Stage2Task {
    /* [count]: the losses of the heads, sorted by name, each of an objective that trains a head. */
    const Objective *losses[MAX_LEARNERS];
    int count; /* 1 to MAX_LEARNERS */
    /* The checkpoint that holds the trunk. NULL: a random network, for benchmarks. */
    const char *init;
    /* A checkpoint whose heads of these losses Adam begins with. NULL: random heads. */
    const char *heads;
} Stage2Task;

/* config_resolve for the losses of the task: auto is adam too where exact cannot solve for one of
 * them. */
void stage2_resolve(Config *config, const Stage2Task *task);

/* "stage2-npr+sn": the name of the task, of its checkpoint and of its rows in metrics.csv. For
 * memory_free. */
char *stage2_name(const Stage2Task *task);

/* Stage 2: loads trunk_ema of task->init, freezes it, and fits a head on its features for each of
 * the losses, all on the same trunk passes, by Adam or exactly as stage2.solver says. Saves
 * `run`/stage2-<losses joined by +>.h5, which holds the trunk too. An input error if the solver is
 * exact and a loss is not quadratic. */
bool stage2_make(Stage **stage, const Config *config, const char *run, const Stage2Task *task,
                 Error *error);
