/* From what a user asks for to what the network computes in. */
#pragma once

#include "config/config.h"
#include "engine/dtype.h"

/* "bf16" or "f32". */
const char *precision_name(DType type);

/* Why `auto` amounts here to what it does, as in "the processor has bfloat16 instructions". */
const char *precision_reason(void);

/* auto is bfloat16 where the processor has instructions for it and float32 elsewhere. Input error
 * where bf16 is asked for and the processor cannot even emulate it. */
bool precision_choose(PrecisionChoice choice, DType *type, Error *error);
