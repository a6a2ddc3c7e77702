/* The gradient of a convolution's weights with AMX instructions:
 *
 *     dW[o, c, ky, kx] = sum over images n and pixels (y, x) of
 *                        dy[n, y, x, o] * in[n, stride y + ky - pad, stride x + kx - pad, c]
 *
 * For each tap (ky, kx), dW is a product of two matrices, dy^T [o, pixels] and in [pixels, c].
 *
 * Both factors are rearranged once into buffers that stay in the core's cache (weight_factors.h).
 * Then the buffers are multiplied many times: dy by all taps and input channels, the input by all
 * taps and output channels (weight_products.h). In the end the sums of the threads become one
 * (weight_totals.h). weight_plan.h chooses the blocks of pixels and the threads' shares, and draws
 * the layouts.
 */
#include "engine/weight_gradient.h"

#include "engine/amx.h"
#include "engine/weight_factors.h"
#include "engine/weight_plan.h"
#include "engine/weight_products.h"
#include "engine/weight_totals.h"

#include <assert.h>

size_t weight_gradient_scratch_bytes(const ConvShape *shape, int threads)
{
    const Plan plan = plan_make(shape, threads);
    return plan_scratch_bytes(&plan, threads);
}

#if AMX_COMPILED

#include <omp.h>

/* The products of a block of pixels with the input blocks [first, last). dy is already rearranged
 * at `left`. The input is rearranged here, a few of its blocks at a time. */
static void run_block(const Plan *plan, Pixels at, bool add, int first, int last, const uint16_t *x,
                      float *sums, const char *left, char *right)
{
    for (; first < last; first += RIGHT_BLOCKS) {
        const int end = smaller(first + RIGHT_BLOCKS, last);
        weight_factors_right(right, plan, at, x, first, end);
        for (int in = first; in < end; in++)
            weight_products_multiply(plan, at, add, left, right + (in - first) * plan->right_bytes,
                                     sums + in * block_sums(plan));
    }
}

/* The sums of one slice of the pixels and one part of the input channels. */
static void run_part(const Plan *plan, int slice, int part, const uint16_t *x, const uint16_t *dy,
                     float *sums, char *buffer)
{
    const int first = part * plan->part_blocks;
    const int last = smaller(first + plan->part_blocks, plan->in_blocks);
    const int first_block = slice * plan->blocks / plan->slices;
    const int last_block = (slice + 1) * plan->blocks / plan->slices;
    char *left = buffer, *right = buffer + plan->out_tiles * plan->left_bytes;
    weight_products_begin();
    for (int block = first_block; block < last_block; block++) {
        const Pixels at = plan_pixels(plan, block);
        const bool add = block > first_block;
        weight_factors_left(left, plan, at, dy);
        run_block(plan, at, add, first, last, x, sums, left, right);
        if (part == 0)
            weight_products_sum(plan, at, add, left, sums + weight_sums(plan));
    }
    weight_products_end();
}

void weight_gradient(const ConvShape *shape, int threads, const uint16_t *x, const uint16_t *dy,
                     float *dw, float *db, void *scratch)
{
    const Plan plan = plan_make(shape, threads);
    float *sums = scratch;
    float *totals = sums + plan.slices * slice_sums(&plan);
    char *buffers = (char *)(totals + threads * tap_sums(&plan));
    assert((uintptr_t)scratch % 64 == 0 && amx_available());
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int i = 0; i < plan.slices * plan.parts; i++)
            run_part(&plan, i / plan.parts, i % plan.parts, x, dy,
                     sums + i / plan.parts * slice_sums(&plan), buffers + i * buffer_bytes(&plan));
#pragma omp for schedule(static)
        for (int i = 0; i < plan.in_blocks * plan.out_tiles; i++)
            weight_totals_write(dw, &plan, sums, totals + omp_get_thread_num() * tap_sums(&plan),
                                i % plan.out_tiles, i / plan.out_tiles);
    }
    if (db)
        weight_totals_write_bias(db, &plan, sums);
}

#else

void weight_gradient(const ConvShape *shape, int threads, const uint16_t *x, const uint16_t *dy,
                     float *dw, float *db, void *scratch)
{
    (void)shape, (void)threads, (void)x, (void)dy, (void)dw, (void)db, (void)scratch;
    assert(!"weight_gradient where it is not available");
}

#endif
