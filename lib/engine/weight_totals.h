/* Adds the sums of all slices, and writes them as gradients; private to weight_gradient.c.
 *
 * `sums` begins with the first slice's; weight_plan.h has their layout.
 */
#pragma once

#include "engine/weight_plan.h"

/* Writes to dw [out_channels, in_channels, kernel, kernel] the gradients of tile `out` of output
 * channels and block `in` of input channels. `total` has room for tap_sums of a plan. */
void weight_totals_write(float *dw, const Plan *plan, const float *sums, float *total, int out,
                         int in);

/* db [out_channels] := the gradients of the biases. */
void weight_totals_write_bias(float *db, const Plan *plan, const float *sums);
