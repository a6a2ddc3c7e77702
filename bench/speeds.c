/* Float32's peak comes from a loop of our own. bfloat16 has instructions that only some processors
 * have, in units of different shapes. So its peak is the speed of one large matrix product. The
 * speed of sigmoids is the normalisation's own, on numbers that stay in the first-level cache.
 */
#include "bench/speeds.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "engine/primitive.h"
#include "layers/group_norm_kernels.h"

#include <math.h>
#include <string.h>

/* Seconds of the fastest of a few runs; infinite where one failed. */
static double fastest_run(Primitive *primitive, void *const *operands)
{
    enum { TIMES = 8 };
    double best = INFINITY;
    char *scratch =
        memory_large(primitive_scratch_bytes(primitive), 1, "a matrix product", &(Error){0});
    for (int time = 0; scratch && time < TIMES; time++) {
        const double begin = clock_seconds();
        if (!primitive_run(primitive, operands, scratch, &(Error){0}))
            break;
        best = fmin(best, clock_seconds() - begin);
    }
    memory_free(scratch);
    return best;
}

/* Operations per second of c = a b with square matrices of bfloat16. */
static double product_speed(void)
{
    enum { SIDE = 1024 };
    const size_t count = (size_t)SIDE * SIDE;
    MatmulShape shape = {.batch = 1,
                         .m = SIDE,
                         .n = SIDE,
                         .k = SIDE,
                         .a_row = SIDE,
                         .a_column = 1,
                         .b_row = SIDE,
                         .b_column = 1,
                         .c_row = SIDE,
                         .b_packed = true,
                         .a_type = DTYPE_BF16,
                         .b_type = DTYPE_BF16,
                         .c_type = DTYPE_BF16};
    Primitive *primitive = NULL;
    double seconds = INFINITY;
    uint16_t *a = memory_large(count, sizeof *a, "a matrix", &(Error){0});
    uint16_t *c = memory_large(count, sizeof *c, "a matrix", &(Error){0});
    char *packed = NULL;
    if (a && c && primitive_matmul(&primitive, &shape, &(Error){0}))
        packed = memory_large(primitive_weights_bytes(primitive), 1, "a matrix", &(Error){0});
    if (packed) {
        void *operands[OPERAND_COUNT] = {
            [OPERAND_SRC] = a, [OPERAND_WEIGHTS] = packed, [OPERAND_DST] = c};
        seconds = fastest_run(primitive, operands);
    }
    primitive_free(primitive);
    memory_free(a);
    memory_free(c);
    memory_free(packed);
    return 2.0 * SIDE * (double)count / seconds;
}

/* Sigmoids per second of one thread. */
static double thread_sigmoids(void)
{
    enum { CHANNELS = 64, PIXELS = 16, TIMES = 2000 };
    float x[PIXELS * CHANNELS], y[PIXELS * CHANNELS], scale[CHANNELS], offset[CHANNELS];
    const NormKernels *kernels = group_norm_kernels();
    const NormImage image = {DTYPE_F32, x, PIXELS, CHANNELS};
    for (int c = 0; c < CHANNELS; c++)
        scale[c] = offset[c] = 0.01f * (float)c;
    for (int i = 0; i < PIXELS * CHANNELS; i++)
        x[i] = 0.001f * (float)i;
    const double begin = clock_seconds();
    for (int time = 0; time < TIMES; time++)
        kernels->normalise(&image, true, scale, offset, (NormDropout){0}, y);
    return (double)TIMES * PIXELS * CHANNELS / (clock_seconds() - begin);
}

static double sigmoid_speed(int threads)
{
    double best = 0.0;
    for (int time = 0; time < 8; time++) {
        double sum = 0.0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
        sum += thread_sigmoids();
        best = fmax(best, sum);
    }
    return best;
}

ProfileSpeeds speeds_measure(int threads)
{
    const bool has_bf16 = primitive_support(DTYPE_BF16) != SUPPORT_NONE;
    return (ProfileSpeeds){
        .operations =
            {[DTYPE_F32] = cpu_peak(threads), [DTYPE_BF16] = has_bf16 ? product_speed() : 0.0},
        .bytes = cpu_bandwidth(threads),
        .sigmoids = sigmoid_speed(threads),
    };
}
