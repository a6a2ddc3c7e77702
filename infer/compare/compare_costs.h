/* The times that infer compare shows. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->costs: from costs.csv if it was measured under the same conditions, or else measures and
 * writes it. */
bool compare_measure_costs(Comparison *c, Error *error);
