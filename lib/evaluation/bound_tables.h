/* The costs of all steps t -> s (bound_tables.c). diffusion/best_path.h finds the best trajectories
 * in them. */
#pragma once

#include "diffusion/cov_grid.h"
#include "evaluation/bound_parts.h"

/* Zeroed if no tables are wanted; then every function does nothing. */
typedef struct BoundTables {
    const BoundFrame *frame;
    CovGrid grid;
    /* [batch, variances, cov_grid_sums]: each image's. */
    double *batch_sums;
    /* [variances, cov_grid_sums]: over all images so far. */
    double *grid_sums;
    /* [images]: the decoder's terms, in bits per dimension; their mean goes to row 0. */
    double *decoder;
    /* [N + 1, variances]: the costs of steps from t to each s, in nats, summed over images. */
    double *costs;
    /* The field of BoundSums. */
    double *tables;
} BoundTables;

/* A run-time error if memory runs out; call bound_tables_free in either case. */
bool bound_tables_make(BoundTables *tables, const BoundFrame *frame, Error *error);
void bound_tables_free(BoundTables *tables);

/* Begins a timestep; then come the terms of each image. */
void bound_tables_begin(BoundTables *tables);
void bound_tables_add_decoder(BoundTables *tables, const BoundImage *image);
void bound_tables_add_estimate(BoundTables *tables, const BoundImage *image,
                               const BoundEstimate *estimate);

/* Adds the sums of the batch's first `count` images to the sums of all images. Called by one
 * thread, after the images were added. */
void bound_tables_end_batch(BoundTables *tables, int count);

/* Computes the costs of all steps from t, as means over images. */
void bound_tables_finish(BoundTables *tables, int t);
