/* The tables and pictures of other commands that infer compare shows. */
#pragma once

#include "infer/compare/compare_task.h"

/* Options of the variance full need it among the rows; a dense Jacobian needs small images (infer/nll/
 * nll_run.h). */
bool compare_check_full(const Comparison *c, Error *error);

/* Fills in c->nll, calibration, quality and grids, from stored files that serve or from new
 * ones. New files are written by the functions of infer nll, infer quality and infer sample. */
bool compare_find_tables(Comparison *c, Error *error);
