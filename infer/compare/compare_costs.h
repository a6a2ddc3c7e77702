/* The times that infer compare shows. */
#pragma once

#include "infer/compare/compare_task.h"

/* Fills in c->costs from costs.csv. Measures and writes that file first unless it was measured
 * under the same conditions. */
bool compare_measure_costs(Comparison *c, Error *error);
