/* What solving for heads keeps: private to stage2_exact.c, which solves, and stage2_exact_file.c, which
 * has it in checkpoints.
 */
#pragma once

#include "layers/patch_gram.h"
#include "stats/shrinkage.h"
#include "train/stage2.h"

enum { EXACT_MAX_LEVELS = 64 }; /* times that heads are solved for; 2^62 rounds are never reached */

/* Observations are fitted, or held out. */
enum { FITTED, HELD, PARTS };

/* What a number of images gave. Losses are per image, summed over its dimensions, as in training. */
typedef struct Level {
    double images, fitted[MAX_LEARNERS], held[MAX_LEARNERS];
} Level;

struct Exact {
    ParamSet basis_params; /* norm_out */
    float *basis_weights;
    Graph *basis_graph;
    PatchGram *gram;
    int features, targets, outputs; /* of phi; channels of all losses, of one */
    float *y[MAX_LEARNERS];         /* [batch, dims]: targets */
    char *note;                     /* how large the sums are; NULL: small */
    double *blocks;                 /* [PARTS, bins]: sums */
    double *all;                    /* the sum of the fitted ones of all bins */
    double *w;                      /* [bins, targets, features] */
    Shrinkage chosen[TIME_BINS_MAX][MAX_LEARNERS];
    int64_t held_steps, held_images; /* batches held out, of how many different images */
    Level levels[EXACT_MAX_LEVELS];
    int level_count;
    double held_stderr[MAX_LEARNERS]; /* of the last level's; 0: not known yet */
};

/* Doubles in the sums of one part and bin. */
static inline size_t exact_block(const Exact *e)
{
    return normal_sums_size(e->features, e->targets);
}

/* The callbacks of a stage: trunk, bins, sums and levels. */
bool exact_write(Stage *stage, CheckpointWriter *writer, Error *error);
bool exact_read(Stage *stage, Checkpoint *checkpoint, Error *error);
