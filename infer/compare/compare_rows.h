/* The rows of a comparison: variances with floors of their estimates. */
#pragma once

#include "infer/compare/compare_task.h"

/* c->variances [c->variance_count], as chosen, become rows: one for each of the floors [count] that
 * changes the estimate, and a single one of a variance that no floor changes.
 *
 * Without any floor (count 0) estimates stay as they are. NPR then has an extra row with its best
 * floor (docs/variances.md) where nll or nll_block is beside it and no trajectory is dp, whose
 * timesteps would be searched for once more. The pass of the network that measures the other bounds
 * serves this row, too. */
void compare_make_rows(Comparison *c, const double *floors, int count);

/* Removes the extra row, and keeps its name in c->missing. */
void compare_drop_extra(Comparison *c);
