/* Chooses among the kernels of group normalisation. */
#include "layers/group_norm_kernels.h"

#include "base/cpu.h"

const NormKernels *group_norm_kernels(void)
{
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
    switch (cpu_vectors()) {
    case CPU_VECTORS_AVX512:
        return &group_norm_avx512;
    case CPU_VECTORS_AVX2:
        return &group_norm_avx2;
    default:
        break;
    }
#endif
    return &group_norm_baseline;
}
