/* SiLU and ReLU on their own, elementwise: y = x sigmoid(x), and y = max(x, 0).
 *
 * Where SiLU follows a normalisation it is part of that pass. The loops are the same for both
 * functions, and are compiled for each of them and for both types.
 */
#include "layers/activation.h"

#include "base/memory.h"
#include "engine/op.h"
#include "layers/layers.h"

enum { BLOCK = 4096 };

typedef enum Function { SILU, RELU } Function;

typedef struct ActivationOp {
    Op op;
    Function function;
} ActivationOp;

INLINED float value_of(Function function, float x)
{
    if (function == SILU)
        return silu(x);
    return x < 0 ? 0 : x; /* a NaN stays a NaN */
}

/* The gradient of ReLU is 0 at 0. */
INLINED float derivative_of(Function function, float x)
{
    if (function == SILU)
        return silu_derivative(x);
    return x > 0 ? 1 : 0;
}

INLINED void forward_as(Function function, DType type, void *restrict y, const void *restrict x,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        store(y, type, i, value_of(function, load(x, type, i)));
}

VECTORISED static void forward_block(Function function, DType type, void *y, const void *x,
                                     size_t count)
{
    if (function == SILU && type == DTYPE_F32)
        forward_as(SILU, DTYPE_F32, y, x, count);
    else if (function == SILU)
        forward_as(SILU, DTYPE_BF16, y, x, count);
    else if (type == DTYPE_F32)
        forward_as(RELU, DTYPE_F32, y, x, count);
    else
        forward_as(RELU, DTYPE_BF16, y, x, count);
}

INLINED void backward_as(Function function, DType type, bool add, void *restrict dx,
                         const void *restrict x, const void *restrict dy, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float d = load(dy, type, i) * derivative_of(function, load(x, type, i));
        store(dx, type, i, add ? load(dx, type, i) + d : d);
    }
}

VECTORISED static void backward_block(Function function, DType type, bool add, void *dx,
                                      const void *x, const void *dy, size_t count)
{
    if (function == SILU && type == DTYPE_F32)
        backward_as(SILU, DTYPE_F32, add, dx, x, dy, count);
    else if (function == SILU)
        backward_as(SILU, DTYPE_BF16, add, dx, x, dy, count);
    else if (type == DTYPE_F32)
        backward_as(RELU, DTYPE_F32, add, dx, x, dy, count);
    else
        backward_as(RELU, DTYPE_BF16, add, dx, x, dy, count);
}

static Function function_of(const Op *op)
{
    return ((const ActivationOp *)op)->function;
}

static size_t block_at(size_t i, size_t count)
{
    return count - i < BLOCK ? count - i : BLOCK;
}

static bool prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    op->reads_input[0] = true;
    return true;
}

static bool forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const DType type = op->out->type;
    const size_t count = value_count(op->out);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        forward_block(function_of(op), type, dtype_at(op->out->data, type, i),
                      dtype_at(op->in[0]->data, type, i), block_at(i, count));
    return true;
}

static bool backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const DType type = op->out->type;
    const size_t count = value_count(op->out);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        backward_block(function_of(op), type, op->accumulate[0], dtype_at(op->in[0]->grad, type, i),
                       dtype_at(op->in[0]->data, type, i), dtype_at(op->out->grad, type, i),
                       block_at(i, count));
    return true;
}

static Value *activation(Graph *graph, Value *x, Function function)
{
    static const OpKind kinds[] = {
        [SILU] = {.name = "silu", .prepare = prepare, .forward = forward, .backward = backward},
        [RELU] = {.name = "relu", .prepare = prepare, .forward = forward, .backward = backward}};
    ActivationOp *op = memory_small(1, sizeof *op);
    op->function = function;
    op->op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, &op->op, &kinds[function], (Shape){x->n, x->h, x->w, x->c, x->type});
}

Value *nn_silu(Graph *graph, Value *x)
{
    return activation(graph, x, SILU);
}

Value *nn_relu(Graph *graph, Value *x)
{
    return activation(graph, x, RELU);
}
