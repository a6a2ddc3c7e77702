/* Products of the trunk's Jacobian with random signs, for losses that read them
 * (Objective.reads_product).
 *
 * The trunk then has a backward pass, with respect to its input alone. No gradient reaches its
 * weights.
 */
#pragma once

#include "model/unet.h"
#include "train/batch.h"

/* Whether one of losses [count] reads products. */
bool products_wanted(const Objective *const *losses, int count);

/* After the trunk ran forward on the batch of `step`: products [batch, dims] := v o (J'v), J = d
 * eps_hat / d x_t. The signs v are a function of the seed, the step and the image's index in the
 * whole batch of all processes. The graph has gradients of its inputs, and the trunk's output is seeded. */
bool products_compute(Graph *graph, const UNet *trunk, const Config *config, const Batch *batch,
                      uint32_t step, float *products, Error *error);
