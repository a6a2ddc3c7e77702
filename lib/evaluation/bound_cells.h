/* The terms of a bound's cells: of every variance on every trajectory that visits a timestep. */
#pragma once

#include "evaluation/bound_parts.h"

typedef struct BoundCells {
    const BoundFrame *frame;
    /* [cells]: [N + 1], the timestep that a cell's trajectory goes to from t; -1: it does not visit t. */
    int **next;
    /* [active_count]: the cells that visit the timestep. */
    int *active, active_count;
    /* [cells]: their steps; kappa and the bound of c for estimates, the whole step for variances that depend on s. */
    double *kappa, *most;
    ReverseStep *steps;
    /* [cells, images]: the terms of the timestep, bits per dimension. */
    double *terms;
    /* [batch, dims]: of variances that depend on s; NULL where there are none. */
    double *step_variance;
    /* bits, terms and terms_error of BoundSums. */
    double *bits, *mean, *error;
} BoundCells;

/* The bounds begin with the priors. Fails for want of memory; bound_cells_free is called then too. */
bool bound_cells_make(BoundCells *cells, const BoundFrame *frame, Error *error);
void bound_cells_free(BoundCells *cells);

/* Whether a cell visits timestep t. */
bool bound_cells_need(const BoundCells *cells, int t);

void bound_cells_begin(BoundCells *cells, int t);

/* The decoder's term, for the cells whose step leads to 0. */
void bound_cells_add_decoder(BoundCells *cells, const BoundImage *image);

/* The terms of an estimate's variance. */
void bound_cells_add_estimate(BoundCells *cells, const BoundImage *image,
                              const BoundEstimate *estimate);

/* The terms of variance v, which depends on s: cell by cell. */
void bound_cells_add_steps(BoundCells *cells, const BoundImage *image, int v,
                           const VarianceInput *input);

void bound_cells_finish(BoundCells *cells, int t);
