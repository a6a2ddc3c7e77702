/* The gradient of the weights by Winograd's algorithm; private to winograd.c. */
#pragma once

#include "engine/winograd_kernels.h"

/* From OPERAND_SRC and OPERAND_DST's gradient to the gradients of OPERAND_WEIGHTS and, unless NULL,
 * OPERAND_BIAS. */
void winograd_gradient(const Winograd *winograd, void *const *operands, void *scratch);
