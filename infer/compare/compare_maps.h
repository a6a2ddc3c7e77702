/* The maps of sigma that infer compare draws. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->maps, and writes figure-sigma.png and figure-sigma.csv. Does nothing where no row of
 * the comparison reads a head. */
bool compare_draw_maps(Comparison *c, Error *error);
