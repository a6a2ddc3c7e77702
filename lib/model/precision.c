#include "model/precision.h"

#include "nn/primitive.h"

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
