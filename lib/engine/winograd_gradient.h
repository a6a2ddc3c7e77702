/* The gradient of the weights by Winograd's algorithm; private to winograd.c. */
#pragma once

#include "engine/winograd_kernels.h"

/* From OPERAND_SRC, or OPERAND_ROWS unless NULL, and OPERAND_DST's gradient to the gradients of OPERAND_WEIGHTS and, unless NULL,
 * OPERAND_BIAS. */
void winograd_gradient(const Winograd *winograd, void *const *operands, void *scratch);
