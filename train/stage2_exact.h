/* The data of heads that are solved for. Private to stage2_exact.c, the stage, and to the files that
 * it consists of: stage2_exact_start.c, stage2_exact_sums.c, stage2_exact_solve.c,
 * stage2_exact_group.c and stage2_exact_file.c.
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

/* The losses after a number of images, per image and summed over its dimensions, as in training.
 * Those of gamma regressions are known at the last level only. */
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
    /* Whether all steps of the run are done. Its checkpoint has no sample. */
    bool complete;
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

/* -- The start (stage2_exact_start.c) ---------------------------------------------------------- */

/* Counts the steps. An input error if there are too few images. */
bool exact_plan(Stage2 *s, Error *error);

/* Allocates sums, sample and heads. Sums or a sample that would take more than half of the memory
 * are an input error. */
bool exact_allocate(Stage2 *s, Error *error);

/* The graph of the features. */
bool exact_build_basis(Stage2 *s, Error *error);

/* The scale and shift of the trunk's own last normalisation are also the head's: weights := them. */
void exact_copy_norm(const Stage2 *s, const ParamSet *set, float *weights);

/* -- The pass (stage2_exact_sums.c) ------------------------------------------------------------ */

/* The bin of timesteps that a step draws. */
int exact_bin(const Stage2 *s, int64_t step);

/* The sums of a part and bin. */
NormalSums exact_sums(const Stage2 *s, int part, int bin);

/* Draws the batch of a step, and runs the trunk. */
bool exact_run_trunk(Stage2 *s, int64_t step, Error *error);

/* The targets of the squared losses, and the residuals, of the batch that the trunk ran. */
void exact_targets(Stage2 *s);

/* Whether the batch can be used. */
bool exact_is_finite(const Stage2 *s);

/* Runs the batch of a step, and adds it to the sums and to the sample. *added := whether it could
 * be used. */
bool exact_add_batch(Stage2 *s, int64_t step, bool *added, Error *error);

/* Whether both fitted and held-out observations exist: all batches of a part may have been
 * skipped. */
bool exact_has_observations(const Stage2 *s);

/* -- Solutions (stage2_exact_solve.c) ---------------------------------------------------------- */

/* Elements of an image in one channel. */
double exact_pixels(const Stage2 *s);

/* Solves for the squared losses, and adds a level of so many fitted images. */
bool exact_solve_squares(Stage2 *s, double images, Error *error);

/* Solves for the gamma regressions at the last level, after exact_solve_squares. */
bool exact_solve_gammas(Stage2 *s, Error *error);

/* The standard errors of the held-out losses, and correlations: runs the held-out images once more,
 * through the heads as they are saved, and takes the variance of the images' losses. */
bool exact_measure_held_out(Stage2 *s, Error *error);

/* -- Several processes (stage2_exact_group.c) -------------------------------------------------- */

/* Brings the sums of all processes to the first one, and the samples too. The others begin again
 * from nothing. */
void exact_collect_sums(Stage2 *s);
bool exact_collect(Stage2 *s, Error *error);

/* Gives the first process's solution and its levels to the others. */
void exact_share_solution(Stage2 *s);

/* After a checkpoint was read by all processes: the first one alone keeps its sums. */
void exact_keep_first(Stage2 *s);

/* -- Checkpoints (stage2_exact_file.c) --------------------------------------------------------- */

/* The callbacks of a stage: trunk, bins, sums, sample and levels. */
bool exact_write(Stage *stage, CheckpointWriter *writer, Error *error);
bool exact_read(Stage *stage, Checkpoint *checkpoint, Error *error);
