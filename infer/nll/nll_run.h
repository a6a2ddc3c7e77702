/* Bounds likelihoods and writes the tables: the work of infer nll. */
#pragma once

#include "infer/command.h"
#include "infer/nll/nll_cells.h"

/* The defaults, without variances, steps and trajectories. */
NllRequest nll_defaults(void);

/* Bounds every variance on every trajectory, writes nll.csv, nll-calibration.csv and nll.h5, and
 * prints tables unless quiet. A file of an unfinished run that was given the same request is
 * continued; a signal stops the run and keeps that file. Prepares the network for the number of
 * images. */
bool nll_run(const NllRequest *request, Network *network, Error *error);
