/* Forward and backward data.
 *
 * If there are more tiles than outputs, all threads make U of all columns of outputs first, and each
 * thread then makes V of a block of tiles when it comes to the block. Otherwise all threads make V of
 * all tiles first, and each thread makes U of a column when it comes to the column. Tasks that follow
 * one another share what the thread has made, in its own cache.
 */
#include "engine/winograd_forward.h"

#include "engine/winograd_plan.h"

#include <omp.h>

enum { SOME_INPUTS = 64 }; /* whose weights are a task */

/* A pass in terms of the forward one. */
typedef struct Forward {
    const WinogradKernels *kernels;
    ForwardPlan plan;
    const float *x;
    WinogradWeights weights;
    WinogradOutput y;
} Forward;

static Forward as_forward(const Winograd *w, void *const *operands)
{
    const ptrdiff_t in = w->shape.in_channels;
    const bool turned = w->pass == CONV_BACKWARD_DATA;
    Forward f = {.kernels = w->kernels, .plan = forward_plan(w)};
    f.x = operands[turned ? OPERAND_DST : OPERAND_SRC];
    f.weights = (WinogradWeights){.at = operands[OPERAND_WEIGHTS],
                                  .in = f.plan.in,
                                  .out = f.plan.out,
                                  .next_in = turned ? in * 9 : 9,
                                  .next_out = turned ? 9 : in * 9,
                                  .turned = turned};
    f.y = (WinogradOutput){.at = operands[turned ? OPERAND_SRC : OPERAND_DST],
                           .channels = f.plan.out,
                           .bias = turned ? NULL : operands[OPERAND_BIAS],
                           .added = turned ? NULL : operands[OPERAND_ADDED]};
    return f;
}

/* Tiles first .. last - 1 to their V. */
static void transform_tiles(const Forward *f, int first, int last, float *v)
{
    const int rows = f->kernels->rows;
    for (int tile = first; tile < last; tile += rows, v += f->plan.group)
        f->kernels->input(&f->plan.tiles, f->x, f->plan.in, tile, smaller(tile + rows, last), v);
}

/* What comes first, by all threads: each column's U, or each group's V. */
static void transform_first(const Forward *f, float *shared)
{
    const ForwardPlan *p = &f->plan;
    const int rows = f->kernels->rows, some = SOME_INPUTS;
    const int parts = divide_up(p->padded, some);
    if (p->weights_first) {
#pragma omp for schedule(static)
        for (int i = 0; i < p->columns * parts; i++)
            f->kernels->weights(
                &f->weights, i % parts * some, smaller(i % parts * some + some, p->padded),
                i / parts * f->kernels->columns, p->next_point, shared + i / parts * p->column);
    } else {
#pragma omp for schedule(static)
        for (int tile = 0; tile < p->tiles.count; tile += rows)
            transform_tiles(f, tile, smaller(tile + rows, p->tiles.count),
                            shared + tile / rows * p->group);
    }
}

/* The share of one thread in the tasks: neighbours, so that it seldom brings something to its points
 * that another has brought there too. */
static void run_share(const Forward *f, const float *shared, float *own)
{
    const ForwardPlan *p = &f->plan;
    const int rows = f->kernels->rows, tasks = p->columns * p->blocks;
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    float *products = own, *mine = own + p->products;
    int ready = -1;
    for (int task = (int)((int64_t)tasks * thread / threads);
         task < (int)((int64_t)tasks * (thread + 1) / threads); task++) {
        const int column = p->weights_first ? task % p->columns : task / p->blocks;
        const int block = p->weights_first ? task / p->columns : task % p->blocks;
        const int first = block * p->block, last = smaller(first + p->block, p->tiles.count);
        const int channel = column * f->kernels->columns;
        const float *u = p->weights_first ? shared + column * p->column : mine;
        const float *v = p->weights_first ? mine : shared + first / rows * p->group;
        if (p->weights_first && ready != block)
            transform_tiles(f, first, last, mine);
        if (!p->weights_first && ready != column)
            f->kernels->weights(&f->weights, 0, p->padded, channel, p->next_point, mine);
        ready = p->weights_first ? block : column;
        f->kernels->output(&p->tiles, p->in, v, u, p->next_point, products, &f->y, first, last,
                           channel);
    }
}

void winograd_forward(const Winograd *w, void *const *operands, void *scratch)
{
    const Forward f = as_forward(w, operands);
    float *shared = scratch;
#pragma omp parallel num_threads(w->threads)
    {
        transform_first(&f, shared);
        run_share(&f, shared, shared + f.plan.shared + omp_get_thread_num() * f.plan.own);
    }
}
