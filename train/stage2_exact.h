/* The data of a fit by least squares. Private to stage2_exact.c, which solves, and
 * stage2_exact_file.c, which reads and writes checkpoints.
 */
#pragma once

#include "layers/patch_gram.h"
#include "stats/shrinkage.h"
#include "train/stage2.h"
#include "train/stage2_sample.h"

/* The largest number of solutions: after 1, 2, 4, ... rounds. 2^62 rounds are never reached. */
enum { EXACT_MAX_LEVELS = 64 };

/* Observations are fitted, or held out. */
enum { FITTED, HELD, PARTS };

/* The losses after a number of images, per image and summed over its dimensions, as in training. */
typedef struct Level {
    double images, fitted[MAX_LEARNERS], held[MAX_LEARNERS];
} Level;

struct Exact {
    /* The graph of norm_out, whose output the convolution of a head reads. */
    ParamSet basis_params;
    float *basis_weights;
    Graph *basis_graph;
    const Value *basis;
    PatchGram *gram;
    /* Elements of phi (patch_gram.h); image channels of one loss; those of all squared losses. */
    int features, outputs, targets;
    /* The squared losses, and of each loss its number among them; -1: it is a gamma regression. */
    int squares, square_of[MAX_LEARNERS];
    /* [squares][batch, dims]: the targets of the batch. */
    float *y[MAX_LEARNERS];
    /* The blocks that gamma regressions read; empty without such a loss. */
    HeadSample sample;
    /* Tells the size of large sums; NULL: they are small. */
    char *note;
    /* [PARTS, bins]: sums of exact_block doubles each. */
    double *blocks;
    /* The fitted sums of all bins together. */
    double *all;
    /* [bins, targets, features]: the weights of the last solution of squared losses. */
    double *w;
    /* [losses][bins, outputs, features]: those of gamma regressions. */
    double *gamma_w[MAX_LEARNERS];
    /* How the weights were chosen. */
    Shrinkage chosen[MAX_LEARNERS][TIME_BINS_MAX];
    /* The steps that are held out, and the number of different images in them. */
    int64_t held_steps, held_images;
    Level levels[EXACT_MAX_LEVELS];
    int level_count;
    /* The standard errors of the last level's held-out losses; 0: not known yet. */
    double held_stderr[MAX_LEARNERS];
};

/* Whether any loss is a gamma regression. */
static inline bool exact_samples(const Exact *e)
{
    return e->sample.fitted != NULL;
}

/* Doubles in the sums of one part and bin. */
static inline size_t exact_block(const Exact *e)
{
    return normal_sums_size(e->features, e->targets);
}

/* The callbacks of a stage: trunk, bins, sums and levels. */
bool exact_write(Stage *stage, CheckpointWriter *writer, Error *error);
bool exact_read(Stage *stage, Checkpoint *checkpoint, Error *error);
