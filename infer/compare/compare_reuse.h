/* The tables and pictures of other commands that infer compare shows. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->nll, calibration, quality and grids: from stored files that serve, or from new ones, which
 * it has infer nll, infer quality and infer sample write. */
bool compare_find_tables(Comparison *c, Error *error);
