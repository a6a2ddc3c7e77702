/* From one type of activations to another: y = x, dx = dy. */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/elementwise.h"

static bool cast_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *x = op->in[0], *y = op->out;
    elementwise_convert(y->type, y->data, x->type, x->data, value_count(y), false);
    return true;
}

static bool cast_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *x = op->in[0], *y = op->out;
    elementwise_convert(x->type, x->grad, y->type, y->grad, value_count(x), op->accumulate[0]);
    return true;
}

static const OpKind cast_kind = {
    .name = "cast", .forward = cast_forward, .backward = cast_backward};

Value *nn_cast(Graph *graph, Value *x, DType type)
{
    if (x->type == type)
        return x;
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &cast_kind, (Shape){x->n, x->h, x->w, x->c, type});
}
