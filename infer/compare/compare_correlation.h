/* The correlations of neighbouring pixels that infer compare shows. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->correlation and its rows, and writes figure-correlation.png. Does nothing if the
 * network has no correlations. */
bool compare_draw_correlation(Comparison *c, Error *error);
