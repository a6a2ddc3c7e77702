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
    return s->span == CONV_SQUARE && s->kernel == 3 && s->stride == 1 && s->pad_begin == 1 &&
           s->pad_end == 1 && s->in_channels <= WINOGRAD_MOST_CHANNELS &&
           s->out_channels <= WINOGRAD_MOST_CHANNELS;
}

/* Fewer tiles are not worth the transform of the weights. More than half of the tiles' pixels have
 * to exist: images of 5 x 5 pixels are slower than direct ones, those of 6 x 6 faster. */
bool winograd_is_better(const ConvShape *s)
{
    enum { CHANNELS = 32, TILES = 8, PIXELS = WINOGRAD_TILE * WINOGRAD_TILE };
    const int64_t across = divide_up(s->in_width, WINOGRAD_TILE);
    const int64_t tiles = s->n * across * divide_up(s->in_height, WINOGRAD_TILE);
    return winograd_can(s) && s->in_channels >= CHANNELS && s->out_channels >= CHANNELS &&
           s->in_height >= WINOGRAD_TILE && s->in_width >= WINOGRAD_TILE && tiles >= TILES &&
           2 * (int64_t)s->n * s->in_height * s->in_width > tiles * PIXELS;
}

size_t winograd_scratch_bytes(const Winograd *w)
{
    return w->pass == CONV_BACKWARD_WEIGHTS ? gradient_scratch_bytes(w) : forward_scratch_bytes(w);
}

size_t winograd_rows_bytes(const Winograd *w)
{
    return w->pass == CONV_BACKWARD_WEIGHTS ? gradient_rows_bytes(w) : 0;
}

void winograd_run(const Winograd *w, void *const *operands, void *scratch)
{
    if (w->pass == CONV_BACKWARD_WEIGHTS)
        winograd_gradient(w, operands, scratch);
    else
        winograd_forward(w, operands, scratch);
}
