/* Chooses the type that a network computes in, and says why. */
#include "model/precision.h"

#include "engine/primitive.h"

#include <stdlib.h>

const char *precision_name(DType type)
{
    return type == DTYPE_BF16 ? "bf16" : "f32";
}

/* oneDNN's variable can hide instructions. Its older name is read too. */
const char *precision_reason(void)
{
    if (primitive_support(DTYPE_BF16) == SUPPORT_FAST)
        return "the processor has bfloat16 instructions";
    return getenv("ONEDNN_MAX_CPU_ISA") || getenv("DNNL_MAX_CPU_ISA")
               ? "oneDNN finds no bfloat16 instructions within ONEDNN_MAX_CPU_ISA"
               : "the processor has no bfloat16 instructions";
}

bool precision_choose(PrecisionChoice choice, DType *type, Error *error)
{
    const Support support = primitive_support(DTYPE_BF16);
    if (choice == PRECISION_BF16 && support == SUPPORT_NONE)
        return error_input(error,
                           "precision: bf16 needs a processor with AVX-512 (and oneDNN free to "
                           "use it); expected auto or f32");
    const bool bf16 =
        choice == PRECISION_BF16 || (choice == PRECISION_AUTO && support == SUPPORT_FAST);
    *type = bf16 ? DTYPE_BF16 : DTYPE_F32;
    return true;
}
