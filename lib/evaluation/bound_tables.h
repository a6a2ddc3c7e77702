/* The costs of all steps t -> s, which the best trajectories are found with (diffusion/best_path.h). */
#pragma once

#include "diffusion/cov_grid.h"
#include "evaluation/bound_parts.h"

/* Zeroed where no tables are wanted: every function does nothing then. */
typedef struct BoundTables {
    const BoundFrame *frame;
    CovGrid grid;
    /* [batch, variances, sums of the grid] */
    double *batch_sums;
    /* [variances, sums of the grid]: of all images so far. */
    double *grid_sums;
    /* [images]: row 0, in bits per dimension. */
    double *decoder;
    /* [N + 1, variances]: the costs from t, in nats. */
    double *costs;
    /* Those of BoundSums. */
    double *tables;
} BoundTables;

/* Fails for want of memory; bound_tables_free is called then too. */
bool bound_tables_make(BoundTables *tables, const BoundFrame *frame, Error *error);
void bound_tables_free(BoundTables *tables);

void bound_tables_begin(BoundTables *tables);
void bound_tables_add_decoder(BoundTables *tables, const BoundImage *image);
void bound_tables_add_estimate(BoundTables *tables, const BoundImage *image,
                               const BoundEstimate *estimate);

/* The first `count` images of the batch have been added. Called by one thread. */
void bound_tables_end_batch(BoundTables *tables, int count);
void bound_tables_finish(BoundTables *tables, int t);
