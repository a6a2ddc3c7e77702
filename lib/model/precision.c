/* Chooses the type that a network computes in, and says why.
 *
 * `auto` takes bfloat16 where the processor has matrix instructions for it. Its vector instructions
 * are not enough. They multiply at most twice as many numbers as float32's, and on some processors
 * half as many. Winograd's algorithm, in float32, needs a quarter of the multiplications of a 3 x 3
 * convolution, and results are more exact.
 */
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
    const Support support = primitive_support(DTYPE_BF16);
    if (support == SUPPORT_MATRIX)
        return "the processor has matrix instructions for bfloat16";
    if (getenv("ONEDNN_MAX_CPU_ISA") || getenv("DNNL_MAX_CPU_ISA"))
        return "oneDNN finds no matrix instructions for bfloat16 within ONEDNN_MAX_CPU_ISA";
    return support == SUPPORT_FAST
               ? "the processor has vector instructions for bfloat16, but no matrix instructions"
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
        choice == PRECISION_BF16 || (choice == PRECISION_AUTO && support == SUPPORT_MATRIX);
    *type = bf16 ? DTYPE_BF16 : DTYPE_F32;
    return true;
}
