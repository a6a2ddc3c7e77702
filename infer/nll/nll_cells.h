/* The request of infer nll, and its cells: a variance on a trajectory with a number of steps. */
#pragma once

#include "evaluation/bound.h"
#include "infer/command.h"

/* Arrays and strings must outlive the run. */
typedef struct NllRequest {
    /* Read of it: the seed, the type of the network, changes of estimates, how the variance full
     * is computed, quiet. */
    const CommonOptions *common;
    /* The table, FILE.csv; NULL: nll.csv in the run directory, or nowhere. */
    const char *out;
    /* [variance_count]; 0: all that the network has. */
    const Variance *const *variances;
    int variance_count;
    /* [variance_count]: the floor of each variance's estimate, in place of common->estimate.floor,
     * so that a variance may be listed with several floors; NULL: that one. */
    const double *floors;
    /* [steps_count]; 0: COMMAND_BOUND_STEPS. */
    const int *steps;
    int steps_count;
    /* [trajectory_count], one at least. */
    const TrajectoryKind *trajectories;
    int trajectory_count;
    /* IMAGES_TEST or IMAGES_TRAIN */
    int split;
    /* IMAGES_UNSET: the default. */
    int64_t images;
    /* Training images to find the trajectories of dp on; IMAGES_UNSET: the default. */
    int64_t dp_images;
    /* The training images; NULL: the configuration's. */
    const char *data;
    /* Other test images; NULL: the configuration's. */
    const char *input;
    /* The file of another implementation's noise; NULL: it is drawn. */
    const char *noise;
    /* Bounds the noise of the step to t_1, as sampling does; 0: no bound. */
    double clip_pixel;
    /* Use neither an unfinished sweep nor stored files of dp. */
    bool fresh;
} NllRequest;

bool nll_has_dp(const NllRequest *request);

/* The options of estimates of variance v of the task. */
EstimateOptions nll_estimate(const NllRequest *request, const BoundTask *task, int v);

/* The name of a variance in tables. */
EstimateLabel nll_label(const EstimateOptions *estimate, const FullOptions *full,
                        const Variance *variance);

/* Fills in the task's cells: every variance of the task on every trajectory of the request, with
 * every one of these numbers of steps [steps_count]. Trajectories of dp follow stored files. */
bool nll_cells_make(BoundTask *task, const NllRequest *request, const Network *network,
                    const int *steps, int steps_count, Error *error);
void nll_cells_free(BoundTask *task);
