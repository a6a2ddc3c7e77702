/* max(x, 0), elementwise. The gradient passes where x is positive. */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"

enum { BLOCK = 4096 };

INLINED void forward_as(DType type, void *restrict y, const void *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float value = load(x, type, i);
        store(y, type, i, value < 0 ? 0 : value); /* a NaN stays a NaN */
    }
}

VECTORISED static void rectify_block(DType type, void *y, const void *x, size_t count)
{
    if (type == DTYPE_F32)
        forward_as(DTYPE_F32, y, x, count);
    else
        forward_as(DTYPE_BF16, y, x, count);
}

INLINED void backward_as(DType type, bool add, void *restrict dx, const void *restrict x,
                         const void *restrict dy, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float d = load(x, type, i) > 0 ? load(dy, type, i) : 0;
        store(dx, type, i, add ? load(dx, type, i) + d : d);
    }
}

VECTORISED static void rectify_gradient_block(DType type, bool add, void *dx, const void *x,
                                              const void *dy, size_t count)
{
    if (type == DTYPE_F32)
        backward_as(DTYPE_F32, add, dx, x, dy, count);
    else
        backward_as(DTYPE_BF16, add, dx, x, dy, count);
}

static bool relu_prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    op->reads_input[0] = true;
    return true;
}

static bool relu_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const DType type = op->out->type;
    const size_t count = value_count(op->out);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        rectify_block(type, dtype_at(op->out->data, type, i), dtype_at(op->in[0]->data, type, i),
                      count - i < BLOCK ? count - i : BLOCK);
    return true;
}

static bool relu_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const DType type = op->out->type;
    const size_t count = value_count(op->out);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        rectify_gradient_block(type, op->accumulate[0], dtype_at(op->in[0]->grad, type, i),
                               dtype_at(op->in[0]->data, type, i), dtype_at(op->out->grad, type, i),
                               count - i < BLOCK ? count - i : BLOCK);
    return true;
}

static const OpKind relu_kind = {
    .name = "relu",
    .prepare = relu_prepare,
    .forward = relu_forward,
    .backward = relu_backward,
};

Value *nn_relu(Graph *graph, Value *x)
{
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &relu_kind, (Shape){x->n, x->h, x->w, x->c, x->type});
}
