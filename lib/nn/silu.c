/* SiLU on its own: y = x sigmoid(x). Where it follows a normalisation it is part of that pass. */
#include "nn/activation.h"

#include "base/memory.h"
#include "nn/op.h"

enum { BLOCK = 4096 };

VECTORISED static void forward_block(float *restrict y, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = silu(x[i]);
}

VECTORISED static void backward_block(float *restrict dx, const float *restrict x,
                                      const float *restrict dy, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] * silu_derivative(x[i]);
}

VECTORISED static void backward_block_add(float *restrict dx, const float *restrict x,
                                          const float *restrict dy, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] += dy[i] * silu_derivative(x[i]);
}

static bool silu_prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    op->reads_input[0] = true;
    return true;
}

static bool silu_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const float *x = op->in[0]->data;
    float *y = op->out->data;
    size_t count = value_count(op->out);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        forward_block(y + i, x + i, count - i < BLOCK ? count - i : BLOCK);
    return true;
}

static bool silu_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const float *x = op->in[0]->data, *dy = op->out->grad;
    float *dx = op->in[0]->grad;
    size_t count = value_count(op->out);
    bool add = op->accumulate[0];
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK) {
        size_t length = count - i < BLOCK ? count - i : BLOCK;
        if (add)
            backward_block_add(dx + i, x + i, dy + i, length);
        else
            backward_block(dx + i, x + i, dy + i, length);
    }
    return true;
}

static const OpKind silu_kind = {
    .name = "silu",
    .prepare = silu_prepare,
    .forward = silu_forward,
    .backward = silu_backward,
};

Value *nn_silu(Graph *graph, Value *x)
{
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &silu_kind, x->n, x->h, x->w, x->c);
}
