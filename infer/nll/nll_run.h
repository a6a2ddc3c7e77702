/* Bounds likelihoods and writes the tables: the work of infer nll. */
#pragma once

#include "infer/command.h"
#include "infer/nll/nll_cells.h"

/* The defaults, without variances, steps and trajectories. */
NllRequest nll_defaults(void);

/* Whether the network's images allow a dense Jacobian if one is asked for. An input error too if there
 * are options of the variance full without it. */
bool nll_check_full(const NllRequest *request, const Network *network, Error *error);

/* The settings of the tables (infer/results.h). The average, the floor and the scale of estimates are
 * not in them, and neither is the space of full: labels of variances have these. Caller frees. */
char *nll_settings(const NllRequest *request, const Network *network);

/* Bounds every variance on every trajectory, writes nll.csv, nll-calibration.csv and nll.h5, and
 * prints tables unless quiet. A file of an unfinished run that was given the same request is
 * continued; a signal stops the run and keeps that file. Prepares the network for the number of
 * images. */
bool nll_run(const NllRequest *request, Network *network, Error *error);
