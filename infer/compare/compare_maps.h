/* The maps of sigma that infer compare draws. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->maps and map_rows, and writes figure-sigma.png and figure-sigma.csv. Does nothing
 * where the network has fewer than two heads that variances read. */
bool compare_draw_maps(Comparison *c, Error *error);
