/* Forward and backward data by Winograd's algorithm; private to winograd.c. */
#pragma once

#include "engine/winograd_kernels.h"

/* Forward: OPERAND_DST from OPERAND_SRC, OPERAND_WEIGHTS, OPERAND_BIAS and OPERAND_ADDED, which may be
 * NULL. Backward data: OPERAND_SRC from OPERAND_DST and OPERAND_WEIGHTS. */
void winograd_forward(const Winograd *winograd, void *const *operands, void *scratch);
