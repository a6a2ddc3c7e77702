/* Linear layers over the channels: fully connected layers and 1x1 convolutions, as one matrix
 * product over all rows (images x pixels). Float32 weights [out, in] are read where they lie,
 * others are packed when they change.
 *
 *     forward   Y [rows, out] = X [rows, in] W' + b [+ residual]
 *     backward  dX = dY W,  dW = dY' X,  db = column sums of dY,  d residual = dY
 */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/packing.h"

#include <assert.h>

typedef struct LinearOp {
    /* in[0]: x, in[1]: residual. */
    Op op;
    Primitive *forward, *backward_data, *backward_weights;
    /* The packed weights; empty if the float32 weights are read where they lie. */
    Packing pack_forward, pack_data;
} LinearOp;

static int64_t row_count(const Value *value)
{
    return (int64_t)value->n * value->h * value->w;
}

/* Whether the weights are packed. */
static bool packs(const LinearOp *linear)
{
    return linear->op.in[0]->type != DTYPE_F32;
}

static bool prepare_forward(Graph *graph, LinearOp *linear, Error *error)
{
    Op *op = &linear->op;
    const Value *x = op->in[0], *y = op->out;
    const MatmulShape shape = {.batch = 1,
                               .m = row_count(x),
                               .n = y->c,
                               .k = x->c,
                               .a_row = x->c,
                               .a_column = 1,
                               .b_row = 1,
                               .b_column = x->c,
                               .c_row = y->c,
                               .bias = true,
                               .accumulate = op->in[1] != NULL,
                               .b_packed = packs(linear),
                               .a_type = x->type,
                               .b_type = x->type,
                               .c_type = y->type};
    if (!primitive_matmul(&linear->forward, &shape, error))
        return false;
    if (packs(linear))
        packing_prepare(&linear->pack_forward, graph, linear->forward);
    op->forward_scratch_bytes = primitive_scratch_bytes(linear->forward);
    return true;
}

static void need_backward_scratch(Op *op, size_t bytes)
{
    if (op->backward_scratch_bytes < bytes)
        op->backward_scratch_bytes = bytes;
}

static bool prepare_backward_data(Graph *graph, LinearOp *linear, Error *error)
{
    Op *op = &linear->op;
    const Value *x = op->in[0], *y = op->out;
    const MatmulShape shape = {.batch = 1,
                               .m = row_count(x),
                               .n = x->c,
                               .k = y->c,
                               .a_row = y->c,
                               .a_column = 1,
                               .b_row = x->c,
                               .b_column = 1,
                               .c_row = x->c,
                               .accumulate = op->accumulate[0],
                               .b_packed = packs(linear),
                               .a_type = y->type,
                               .b_type = x->type,
                               .c_type = x->type};
    if (!primitive_matmul(&linear->backward_data, &shape, error))
        return false;
    if (packs(linear))
        packing_prepare(&linear->pack_data, graph, linear->backward_data);
    need_backward_scratch(op, primitive_scratch_bytes(linear->backward_data));
    return true;
}

static bool prepare_backward_weights(LinearOp *linear, Error *error)
{
    Op *op = &linear->op;
    const Value *x = op->in[0], *y = op->out;
    const MatmulShape shape = {.batch = 1,
                               .m = y->c,
                               .n = x->c,
                               .k = row_count(x),
                               .a_row = 1,
                               .a_column = y->c,
                               .b_row = x->c,
                               .b_column = 1,
                               .c_row = x->c,
                               .a_type = y->type,
                               .b_type = x->type,
                               .c_type = DTYPE_F32};
    if (!primitive_matmul(&linear->backward_weights, &shape, error))
        return false;
    op->reads_input[0] = true;
    need_backward_scratch(op, primitive_scratch_bytes(linear->backward_weights));
    need_backward_scratch(op, elementwise_column_sum_scratch((size_t)row_count(x), y->c));
    return true;
}

static bool linear_prepare(Graph *graph, Op *op, Error *error)
{
    LinearOp *linear = (LinearOp *)op;
    const bool data = op->backward && op->in[0]->needs_grad;
    const bool weights = op->backward && graph->options.weight_gradients;
    return prepare_forward(graph, linear, error) &&
           (!data || prepare_backward_data(graph, linear, error)) &&
           (!weights || prepare_backward_weights(linear, error));
}

static void linear_pack(Graph *graph, Op *op)
{
    LinearOp *linear = (LinearOp *)op;
    const float *weights = op_weights(graph, op->weight);
    packing_run(&linear->pack_forward, graph, weights);
    packing_run(&linear->pack_data, graph, weights);
}

static bool linear_forward(Graph *graph, Op *op, Error *error)
{
    LinearOp *linear = (LinearOp *)op;
    if (op->in[1])
        elementwise_copy(op->out->data, op->in[1]->data, value_bytes(op->out));
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = op->in[0]->data,
        [OPERAND_WEIGHTS] =
            packing_weights(&linear->pack_forward, graph, op_weights(graph, op->weight)),
        [OPERAND_BIAS] = (void *)op_weights(graph, op->bias),
        [OPERAND_DST] = op->out->data,
    };
    return primitive_run(linear->forward, operands, op->forward_scratch, error);
}

static bool linear_backward(Graph *graph, Op *op, Error *error)
{
    LinearOp *linear = (LinearOp *)op;
    Value *x = op->in[0], *y = op->out;
    void *scratch = op->backward_scratch;
    if (linear->backward_weights) {
        void *operands[OPERAND_COUNT] = {
            [OPERAND_SRC] = y->grad,
            [OPERAND_WEIGHTS] = x->data,
            [OPERAND_DST] = op_gradients(graph, op->weight),
        };
        if (!primitive_run(linear->backward_weights, operands, scratch, error))
            return false;
        elementwise_column_sum(op_gradients(graph, op->bias), y->type, y->grad,
                               (size_t)row_count(y), y->c, scratch);
    }
    if (linear->backward_data) {
        void *operands[OPERAND_COUNT] = {
            [OPERAND_SRC] = y->grad,
            [OPERAND_WEIGHTS] =
                packing_weights(&linear->pack_data, graph, op_weights(graph, op->weight)),
            [OPERAND_DST] = x->grad,
        };
        if (!primitive_run(linear->backward_data, operands, scratch, error))
            return false;
    }
    return op_pass_gradient(op);
}

static void linear_release(Op *op)
{
    LinearOp *linear = (LinearOp *)op;
    primitive_free(linear->forward);
    primitive_free(linear->backward_data);
    primitive_free(linear->backward_weights);
}

static const OpKind linear_kind = {
    .name = "linear",
    .prepare = linear_prepare,
    .pack = linear_pack,
    .forward = linear_forward,
    .backward = linear_backward,
    .release = linear_release,
};

static Value *append(Graph *graph, Value *x, int weight, int bias, int channels, Value *residual)
{
    assert(!residual || residual->type == x->type);
    assert(!residual || (residual->h == x->h && residual->w == x->w && residual->c == channels));
    LinearOp *linear = memory_small(1, sizeof *linear);
    linear->op = (Op){
        .in = {x, residual}, .weight = weight, .bias = bias, .passes_gradient = residual ? 1 : -1};
    return graph_append(graph, &linear->op, &linear_kind,
                        (Shape){x->n, x->h, x->w, channels, x->type});
}

static int add_weight(Graph *graph, const Value *x, const char *name, int rank, int channels)
{
    const int shape[] = {channels, x->c, 1, 1};
    return graph_param(graph, name, "weight", rank, shape, PARAM_UNIFORM_FAN_IN, x->c);
}

static int add_bias(Graph *graph, const Value *x, const char *name, int channels)
{
    return graph_param(graph, name, "bias", 1, &channels, PARAM_UNIFORM_FAN_IN, x->c);
}

Value *nn_linear(Graph *graph, Value *x, const char *name, int channels)
{
    int weight = add_weight(graph, x, name, 2, channels);
    int bias = add_bias(graph, x, name, channels);
    return append(graph, x, weight, bias, channels, NULL);
}

Value *nn_conv1x1(Graph *graph, Value *x, const char *name, int channels, Value *residual)
{
    int weight = add_weight(graph, x, name, 4, channels);
    int bias = add_bias(graph, x, name, channels);
    return append(graph, x, weight, bias, channels, residual);
}

/* Registered one after the other, the weights lie end to end in the flat array: together they are
 * the weight [count * channels, c] of one layer. */
Value *nn_conv1x1_stack(Graph *graph, Value *x, const char *const *names, int count, int channels)
{
    int weight = -1, bias = -1;
    for (int i = 0; i < count; i++) {
        int index = add_weight(graph, x, names[i], 4, channels);
        assert(weight < 0 || index == weight + i);
        weight = weight < 0 ? index : weight;
    }
    for (int i = 0; i < count; i++) {
        int index = add_bias(graph, x, names[i], channels);
        assert(bias < 0 || index == bias + i);
        bias = bias < 0 ? index : bias;
    }
    Value *out = append(graph, x, weight, bias, count * channels, NULL);
    out->producer->stacked = count - 1;
    return out;
}
