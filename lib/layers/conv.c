/* Convolutions. Where the forward and the backward-data primitive want packed weights, these are
 * packed each time they change. A gradient that comes out packed is brought back to [out, in,
 * height, width]. The gradient of the weights reads x. If the normalisation before can compute x
 * again, and the primitive takes x row by row, x need not be kept from the forward pass.
 *
 *     forward   y = conv(x, w) + b [+ residual]
 *     backward  dx = conv'(dy, w),  dw = x (*) dy,  db = sum of dy,  d residual = dy
 */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/packing.h"

#include <assert.h>

typedef struct ConvOp {
    /* in[0]: x, in[1]: residual. */
    Op op;
    ConvShape shape;
    Primitive *forward, *backward_data, *backward_weights;
    Packing pack_forward, pack_data;
    /* Scratch where backward-data writes before it is added. */
    size_t added_bytes;
    /* Scratch for the output's gradient in the type of the convolution. */
    size_t cast_bytes;
    /* Scratch for rows of x that are computed again for the gradient of the weights; 0: x is kept. */
    size_t rows_bytes;
} ConvOp;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool prepare_backward(Graph *graph, ConvOp *conv, Error *error)
{
    Op *op = &conv->op;
    const DType type = op->in[0]->type;
    Product product = {
        .conv = conv->shape, .type = type, .dst_type = type, .direct = graph->options.direct};
    size_t data_scratch = 0, weights_scratch = 0;
    if (op->in[0]->needs_grad) {
        product.pass = CONV_BACKWARD_DATA;
        if (!primitive_conv(&conv->backward_data, &product, error))
            return false;
        packing_prepare(&conv->pack_data, graph, conv->backward_data);
        conv->added_bytes = op->accumulate[0] ? memory_aligned(value_bytes(op->in[0])) : 0;
        data_scratch = conv->added_bytes + primitive_scratch_bytes(conv->backward_data);
    }
    if (graph->options.weight_gradients) {
        product.pass = CONV_BACKWARD_WEIGHTS;
        if (!primitive_conv(&conv->backward_weights, &product, error))
            return false;
        if (op->in[0]->producer && op->in[0]->producer->remakes)
            conv->rows_bytes = primitive_rows_bytes(conv->backward_weights);
        op->reads_input[0] = conv->rows_bytes == 0;
        weights_scratch = memory_aligned(primitive_weights_bytes(conv->backward_weights)) +
                          primitive_scratch_bytes(conv->backward_weights) + conv->rows_bytes;
    }
    if (op->out->type != type)
        conv->cast_bytes = memory_aligned(value_count(op->out) * dtype_size(type));
    op->backward_scratch_bytes = conv->cast_bytes + larger(data_scratch, weights_scratch);
    return true;
}

static bool conv_prepare(Graph *graph, Op *op, Error *error)
{
    ConvOp *conv = (ConvOp *)op;
    const Product product = {.conv = conv->shape,
                             .pass = CONV_FORWARD,
                             .added = op->in[1] != NULL,
                             .type = op->in[0]->type,
                             .dst_type = op->out->type,
                             .direct = graph->options.direct};
    if (!primitive_conv(&conv->forward, &product, error))
        return false;
    packing_prepare(&conv->pack_forward, graph, conv->forward);
    op->forward_scratch_bytes = primitive_scratch_bytes(conv->forward);
    return !op->backward || prepare_backward(graph, conv, error);
}

static void conv_pack(Graph *graph, Op *op)
{
    ConvOp *conv = (ConvOp *)op;
    const float *weights = op_weights(graph, op->weight);
    packing_run(&conv->pack_forward, graph, weights);
    packing_run(&conv->pack_data, graph, weights);
}

static bool conv_forward(Graph *graph, Op *op, Error *error)
{
    ConvOp *conv = (ConvOp *)op;
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = op->in[0]->data,
        [OPERAND_WEIGHTS] =
            packing_weights(&conv->pack_forward, graph, op_weights(graph, op->weight)),
        [OPERAND_BIAS] = (void *)op_weights(graph, op->bias),
        [OPERAND_DST] = op->out->data,
        [OPERAND_ADDED] = op->in[1] ? op->in[1]->data : NULL,
    };
    return primitive_run(conv->forward, operands, op->forward_scratch, error);
}

static bool backward_data(Graph *graph, ConvOp *conv, void *dy, char *scratch, Error *error)
{
    Op *op = &conv->op;
    void *target = op->accumulate[0] ? scratch : op->in[0]->grad;
    void *rest = op->accumulate[0] ? scratch + conv->added_bytes : scratch;
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = target,
        [OPERAND_WEIGHTS] = packing_weights(&conv->pack_data, graph, op_weights(graph, op->weight)),
        [OPERAND_DST] = dy,
    };
    if (!primitive_run(conv->backward_data, operands, rest, error))
        return false;
    if (op->accumulate[0])
        elementwise_add(op->in[0]->type, op->in[0]->grad, target, value_count(op->in[0]));
    return true;
}

/* A value that is computed again. */
typedef struct Remade {
    const Graph *graph;
    const Op *producer;
} Remade;

static void remake_rows(const void *context, int first, int last, float *to)
{
    const Remade *remade = context;
    remade->producer->kind->remake(remade->graph, remade->producer, first, last, to);
}

/* Where the gradient comes out packed it goes to scratch first, and is unpacked from there. */
static bool backward_weights(Graph *graph, ConvOp *conv, void *dy, char *scratch, Error *error)
{
    Op *op = &conv->op;
    const size_t packed_bytes = primitive_weights_bytes(conv->backward_weights);
    void *plain = op_gradients(graph, op->weight);
    void *packed = packed_bytes > 0 ? scratch : plain;
    const Remade remade = {graph, op->in[0]->producer};
    RowSource rows = {remake_rows, &remade};
    /* With rows, OPERAND_SRC is memory of the same size, for primitive_replay. */
    void *gradient[OPERAND_COUNT] = {
        [OPERAND_SRC] = conv->rows_bytes > 0 ? op->in[0]->producer->in[0]->data : op->in[0]->data,
        [OPERAND_ROWS] = conv->rows_bytes > 0 ? &rows : NULL,
        [OPERAND_WEIGHTS] = packed,
        [OPERAND_BIAS] = op_gradients(graph, op->bias),
        [OPERAND_DST] = dy,
    };
    if (!primitive_run(conv->backward_weights, gradient, scratch + memory_aligned(packed_bytes),
                       error))
        return false;
    if (packed_bytes > 0)
        primitive_unpack(conv->backward_weights, packed, plain);
    return true;
}

static bool conv_backward(Graph *graph, Op *op, Error *error)
{
    ConvOp *conv = (ConvOp *)op;
    void *dy = op->out->grad;
    char *scratch = op->backward_scratch;
    if (conv->cast_bytes > 0) {
        dy = scratch;
        scratch += conv->cast_bytes;
        elementwise_convert(op->in[0]->type, dy, op->out->type, op->out->grad, value_count(op->out),
                            false);
    }
    return (!conv->backward_weights || backward_weights(graph, conv, dy, scratch, error)) &&
           (!conv->backward_data || backward_data(graph, conv, dy, scratch, error)) &&
           op_pass_gradient(op);
}

static void conv_release(Op *op)
{
    ConvOp *conv = (ConvOp *)op;
    primitive_free(conv->forward);
    primitive_free(conv->backward_data);
    primitive_free(conv->backward_weights);
}

static const OpKind conv_kind = {
    .name = "convolution",
    .prepare = conv_prepare,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward = conv_backward,
    .release = conv_release,
};

Value *nn_conv2d(Graph *graph, Value *x, const char *name, int channels, Conv options)
{
    int kernel = options.kernel, stride = options.stride ? options.stride : 1;
    int padding = options.pad_begin + options.pad_end;
    const bool is_row = options.span == CONV_ROW, is_column = options.span == CONV_COLUMN;
    const int high = is_row ? 1 : kernel, wide = is_column ? 1 : kernel;
    int height = (x->h + (is_row ? 0 : padding) - high) / stride + 1;
    int width = (x->w + (is_column ? 0 : padding) - wide) / stride + 1;
    int fan_in = x->c * high * wide;
    const Value *added = options.residual;
    assert(!added || added->type == (options.float32 ? DTYPE_F32 : graph->options.type));
    assert(!added || (added->h == height && added->w == width && added->c == channels));
    const int weight[] = {options.banks, channels, x->c, high, wide};
    const int bias[] = {options.banks, channels}, lead = options.banks > 0 ? 0 : 1;
    channels *= options.banks > 0 ? options.banks : 1;
    const DType type = graph->options.type;
    x = nn_cast(graph, x, type);

    ConvOp *conv = memory_small(1, sizeof *conv);
    conv->shape = (ConvShape){
        .n = x->n,
        .in_height = x->h,
        .in_width = x->w,
        .in_channels = x->c,
        .out_height = height,
        .out_width = width,
        .out_channels = channels,
        .kernel = kernel,
        .stride = stride,
        .pad_begin = options.pad_begin,
        .pad_end = options.pad_end,
        .span = options.span,
    };
    conv->op = (Op){
        .in = {x, options.residual},
        .weight = graph_param(graph, name, "weight", 5 - lead, weight + lead, PARAM_UNIFORM_FAN_IN,
                              fan_in),
        .bias =
            graph_param(graph, name, "bias", 2 - lead, bias + lead, PARAM_UNIFORM_FAN_IN, fan_in),
        .passes_gradient = options.residual ? 1 : -1,
    };
    return graph_append(graph, &conv->op, &conv_kind,
                        (Shape){x->n, height, width, channels, options.float32 ? DTYPE_F32 : type});
}
