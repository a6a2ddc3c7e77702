/* From what a user asks for to what the network computes in. */
#pragma once

#include "io/config.h"
#include "nn/dtype.h"

/* auto is bfloat16 where the processor has instructions for it and float32 elsewhere. Input error
 * where bf16 is asked for and the processor cannot even emulate it. */
bool precision_choose(PrecisionChoice choice, DType *type, Error *error);
