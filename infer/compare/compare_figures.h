/* The charts of infer compare. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->figures from the tables, and writes figure-*.svg, .png and .csv. */
bool compare_draw_figures(Comparison *c, Error *error);
