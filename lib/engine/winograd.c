/* Chooses kernels and passes. */
#include "engine/winograd.h"

#include "base/cpu.h"
#include "engine/winograd_forward.h"
#include "engine/winograd_gradient.h"
#include "engine/winograd_plan.h"

static float zeros[WINOGRAD_MOST_CHANNELS];
const float *const winograd_zeros = zeros;

const WinogradKernels *winograd_kernels(void)
{
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
    switch (cpu_vectors()) {
    case CPU_VECTORS_AVX512:
        return &winograd_avx512;
    case CPU_VECTORS_AVX2:
        return &winograd_avx2;
    default:
        break;
    }
#endif
    return &winograd_baseline;
}

bool winograd_can(const ConvShape *s)
{
    return s->kernel == 3 && s->stride == 1 && s->pad_begin == 1 && s->pad_end == 1 &&
           s->in_channels <= WINOGRAD_MOST_CHANNELS && s->out_channels <= WINOGRAD_MOST_CHANNELS;
}

bool winograd_is_better(const ConvShape *s)
{
    const int least = 32;
    return winograd_can(s) && s->in_channels >= least && s->out_channels >= least &&
           s->in_height >= 4 && s->in_width >= 4;
}

size_t winograd_scratch_bytes(const Winograd *w)
{
    return w->pass == CONV_BACKWARD_WEIGHTS ? gradient_scratch_bytes(w) : forward_scratch_bytes(w);
}

void winograd_run(const Winograd *w, void *const *operands, void *scratch)
{
    if (w->pass == CONV_BACKWARD_WEIGHTS)
        winograd_gradient(w, operands, scratch);
    else
        winograd_forward(w, operands, scratch);
}
