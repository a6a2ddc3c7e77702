/* The terms of a bound's cells: one for each cell whose trajectory visits the timestep
 * (bound_cells.c). */
#pragma once

#include "evaluation/bound_parts.h"

typedef struct BoundCells {
    const BoundFrame *frame;
    /* next[c][t], [cells][N + 1]: the timestep that cell c's trajectory goes to from t; -1: it does
     * not visit t. */
    int **next;
    /* [active_count]: the cells that visit the timestep. */
    int *active, active_count;
    /* [cells]: the cells' steps from the timestep. Estimates use kappa and `most`, the bound on
     * Cov[x_0 | x_t]; variances that depend on s use `steps`. */
    double *kappa, *most;
    ReverseStep *steps;
    /* [cells, images]: the terms of the timestep, in bits per dimension. */
    double *terms;
    /* [batch, dims]: scratch for variances that depend on s; NULL if there are none. */
    double *step_variance;
    /* [cells, images]: the variances of the timestep's terms by quadrature, and the field
     * quadrature of BoundSums; NULL: there are no spectra. */
    double *spread, *quadrature;
    /* The fields bits, terms and terms_error of BoundSums. */
    double *bits, *mean, *error;
} BoundCells;

/* Allocates memory and adds the priors to the bounds. A run-time error if memory runs out; call
 * bound_cells_free in either case. */
bool bound_cells_make(BoundCells *cells, const BoundFrame *frame, Error *error);
void bound_cells_free(BoundCells *cells);

/* Whether any cell visits timestep t. */
bool bound_cells_need(const BoundCells *cells, int t);

/* Lists the cells that visit timestep t, and prepares their steps. */
void bound_cells_begin(BoundCells *cells, int t);

/* Adds the decoder's term, for the cells whose step leads to 0. */
void bound_cells_add_decoder(BoundCells *cells, const BoundImage *image);

/* Adds the terms of all cells with the estimate's variance. */
void bound_cells_add_estimate(BoundCells *cells, const BoundImage *image,
                              const BoundEstimate *estimate);

/* Adds the terms of variance v, which depends on s and is evaluated for each cell. */
void bound_cells_add_steps(BoundCells *cells, const BoundImage *image, int v,
                           const VarianceInput *input);

/* Whether any cell of variance v has a step at the timestep, and not only the decoder. */
bool bound_cells_have_step(const BoundCells *cells, int v, int t);

/* Adds the terms of variance v, whose covariance is known by its spectrum. */
void bound_cells_add_spectrum(BoundCells *cells, const BoundImage *image, int v,
                              const Spectrum *spectrum);

/* Adds the terms to the bounds, and computes their means over images. */
void bound_cells_finish(BoundCells *cells, int t);
