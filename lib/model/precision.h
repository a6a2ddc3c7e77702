/* From the precision that the user asks for to the type that the network computes in. */
#pragma once

#include "config/config.h"
#include "engine/dtype.h"

/* "bf16" or "f32". */
const char *precision_name(DType type);

/* The reason for the choice of `auto` on this machine, as in "the processor has matrix
 * instructions for bfloat16". */
const char *precision_reason(void);

/* auto is bfloat16 if the processor has matrix instructions for it, else float32. An input error if bf16
 * is asked for and the processor cannot even emulate it. */
bool precision_choose(PrecisionChoice choice, DType *type, Error *error);
