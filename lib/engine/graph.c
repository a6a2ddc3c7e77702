/* Builds a graph, plans it, and runs it.
 *
 * Builders append operations and values. graph_finish then decides, going through the operations as
 * the backward pass will, which of them take part, which writes a gradient first (the others add to
 * it) and which gradients share memory with another. Every buffer gets the steps of its life,
 * forward step i being the i-th step and its backward step 2 n - 1 - i, and memory_plan.c places
 * it. A run is a loop over the operations.
 */
#include "engine/op.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/memory_plan.h"
#include "engine/product_check.h"
#include "engine/profile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Building. */

Graph *graph_new(ParamSet *params, GraphOptions options)
{
    Graph *graph = memory_small(1, sizeof *graph);
    graph->params = params;
    graph->options = options;
    return graph;
}

void graph_free(Graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->op_count; i++) {
        if (graph->ops[i]->kind->release)
            graph->ops[i]->kind->release(graph->ops[i]);
        memory_free(graph->ops[i]);
    }
    for (int i = 0; i < graph->value_count; i++)
        memory_free(graph->values[i]);
    memory_free(graph->ops);
    memory_free(graph->values);
    memory_free(graph->own_params);
    memory_free(graph->arena);
    memory_free(graph->packed);
    memory_free(graph);
}

static Value *new_value(Graph *graph, Shape s)
{
    Value *value = memory_small(1, sizeof *value);
    *value = (Value){.n = s.n, .h = s.h, .w = s.w, .c = s.c, .type = s.type};
    value->grad_owner = value;
    graph->values = memory_grow(graph->values, (size_t)graph->value_count + 1, sizeof(Value *));
    graph->values[graph->value_count++] = value;
    return value;
}

Value *graph_input(Graph *graph, int height, int width, int channels)
{
    Value *value =
        new_value(graph, (Shape){graph->options.batch, height, width, channels, DTYPE_F32});
    value->needs_grad = graph->options.input_gradients;
    return value;
}

Value *graph_input_from(Graph *graph, const Value *other)
{
    Value *value = new_value(graph, (Shape){other->n, other->h, other->w, other->c, other->type});
    value->needs_grad = graph->options.input_gradients;
    value->data = other->data;
    value->bound = true;
    return value;
}

void graph_keep(Graph *graph, Value *value)
{
    (void)graph;
    value->kept = true;
}

void graph_seed(Graph *graph, Value *value)
{
    (void)graph;
    /* The gradient of an input is planned to live from its last reader's step, not from the start
     * of the backward pass, when the caller would write it. */
    assert(value->producer);
    value->seeded = true;
}

Value *graph_append(Graph *graph, Op *op, const OpKind *kind, Shape shape)
{
    graph->ops = memory_grow(graph->ops, (size_t)graph->op_count + 1, sizeof(Op *));
    op->kind = kind;
    op->index = graph->op_count;
    op->out = new_value(graph, shape);
    op->out->producer = op;
    bool trains = graph->options.weight_gradients && op->weight >= 0;
    for (int k = 0; k < OP_MAX_INPUTS; k++)
        if (op->in[k] && op->in[k]->needs_grad)
            trains = true;
    op->out->needs_grad = trains;
    graph->ops[graph->op_count++] = op;
    return op->out;
}

int graph_param(Graph *graph, const char *name, const char *suffix, int rank, const int *shape,
                ParamInit init, int fan_in)
{
    char full[PARAM_NAME_SIZE];
    int length = snprintf(full, sizeof full, "%s.%s", name, suffix);
    assert(length < PARAM_NAME_SIZE);
    const int param = params_add(graph->params, full, rank, shape, init, fan_in);
    graph->own_params = memory_grow(graph->own_params, (size_t)graph->own_param_count + 1,
                                    sizeof *graph->own_params);
    graph->own_params[graph->own_param_count++] = param;
    return param;
}

/* Planning. Forward step of operation i is i; its backward step is 2 n - 1 - i. */

static int backward_step(const Graph *graph, const Op *op)
{
    return 2 * graph->op_count - 1 - op->index;
}

static int last_step(const Graph *graph)
{
    return 2 * graph->op_count;
}

/* Goes through the operations as the backward pass will, and decides which of them take part, which
 * writes a gradient first, and which gradients share memory because one is equal to the other. */
static void plan_gradient_flow(Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++)
        graph->values[i]->grad_first = -1;
    for (int i = graph->op_count - 1; i >= 0; i--) {
        Op *op = graph->ops[i];
        Value *out = op->out;
        if (out->seeded && out->needs_grad)
            out->grad_first = graph->op_count;
        op->backward = out->grad_first >= 0;
        if (!op->backward) {
            graph->has_idle_params = graph->has_idle_params || op->weight >= 0;
            continue;
        }
        int now = backward_step(graph, op);
        out->grad_last = now;
        for (int k = 0; k < OP_MAX_INPUTS; k++) {
            Value *in = op->in[k];
            if (!in || !in->needs_grad)
                continue;
            op->accumulate[k] = in->grad_first >= 0 || in->seeded;
            if (in->grad_first < 0)
                in->grad_first = now;
            in->grad_last = in->producer ? now : last_step(graph);
            if (k == op->passes_gradient && !op->accumulate[k] && in->type == out->type)
                in->grad_owner = out->grad_owner;
        }
    }
}

static void plan_data_lives(Graph *graph)
{
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        value->data_first = value->producer ? value->producer->index : 0;
        value->data_last = value->kept ? last_step(graph) : value->data_first;
    }
    for (int i = 0; i < graph->op_count; i++) {
        const Op *op = graph->ops[i];
        for (int k = 0; k < OP_MAX_INPUTS; k++) {
            Value *in = op->in[k];
            if (!in)
                continue;
            int last = op->backward && op->reads_input[k] ? backward_step(graph, op) : op->index;
            if (last > in->data_last)
                in->data_last = last;
        }
    }
}

static void plan_values(Graph *graph, MemoryPlan *plan)
{
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value->bound)
            memory_plan_add(plan, &value->data, value_bytes(value), value->data_first,
                            value->data_last);
        if (value->grad_first < 0 || value->grad_owner == value)
            continue;
        Value *owner = value->grad_owner;
        if (value->grad_last > owner->grad_last)
            owner->grad_last = value->grad_last;
    }
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (value->grad_first >= 0 && value->grad_owner == value)
            memory_plan_add(plan, &value->grad, value_bytes(value), value->grad_first,
                            value->grad_last);
    }
}

static void plan_op_buffers(Graph *graph, MemoryPlan *plan)
{
    for (int i = 0; i < graph->op_count; i++) {
        Op *op = graph->ops[i];
        int back = backward_step(graph, op);
        memory_plan_add(plan, &op->saved, op->saved_bytes, i, op->backward ? back : i);
        memory_plan_add(plan, &op->forward_scratch, op->forward_scratch_bytes, i, i);
        if (op->backward)
            memory_plan_add(plan, &op->backward_scratch, op->backward_scratch_bytes, back, back);
    }
}

static bool prepare_ops(Graph *graph, Error *error)
{
    bool done = true;
    for (int i = 0; done && i < graph->op_count; i++) {
        Op *op = graph->ops[i];
        done = !op->kind->prepare || op->kind->prepare(graph, op, error);
        if (!done)
            error_prefix(error, "%s",
                         op->weight < 0 ? op->kind->name : graph->params->items[op->weight].name);
    }
    product_check_end();
    return done;
}

bool graph_finish(Graph *graph, Error *error)
{
    plan_gradient_flow(graph);
    if (!prepare_ops(graph, error))
        return false;
    plan_data_lives(graph);
    MemoryPlan plan = {0};
    plan_values(graph, &plan);
    plan_op_buffers(graph, &plan);
    memory_plan_solve(&plan);
    graph->arena_bytes = plan.bytes;
    graph->arena = memory_large(plan.bytes, 1, "the activations of the network", error);
    if (graph->arena) {
        memory_plan_assign(&plan, graph->arena);
        for (int i = 0; i < graph->value_count; i++)
            graph->values[i]->grad = graph->values[i]->grad_owner->grad;
    }
    memory_plan_free(&plan);
    if (graph->packed_bytes > 0)
        graph->packed = memory_large(graph->packed_bytes, 1, "packed weights", error);
    return graph->arena && (graph->packed || graph->packed_bytes == 0);
}

/* Running. */

void graph_load_weights(Graph *graph, const float *weights)
{
    const double begin = profile_begin();
    graph->weights = weights;
    for (int i = 0; i < graph->op_count; i++) {
        Op *op = graph->ops[i];
        if (op->kind->pack)
            op->kind->pack(graph, op);
    }
    /* Each packed number is written, and read as a float32 number. */
    const double packed = (double)graph->packed_bytes;
    profile_bytes(packed * (1.0 + sizeof(float) / (double)dtype_size(graph->options.type)));
    profile_end(begin, "packing of weights", PROFILE_OTHER);
}

/* Bytes that an operation's forward pass reads or writes at least: each value once. */
static double forward_bytes(const Op *op)
{
    size_t bytes = value_bytes(op->out) + op->saved_bytes;
    for (int k = 0; k < OP_MAX_INPUTS; k++)
        if (op->in[k])
            bytes += value_bytes(op->in[k]);
    return (double)bytes;
}

/* Likewise its backward pass. A gradient that shares the memory of the output's does not move. */
static double backward_bytes(const Op *op)
{
    size_t bytes = value_bytes(op->out) + op->saved_bytes;
    for (int k = 0; k < OP_MAX_INPUTS; k++) {
        const Value *in = op->in[k];
        if (in && op->reads_input[k])
            bytes += value_bytes(in);
        if (in && in->needs_grad && in->grad != op->out->grad)
            bytes += value_bytes(in) * (op->accumulate[k] ? 2 : 1);
    }
    return (double)bytes;
}

bool graph_forward(Graph *graph, uint32_t step, Error *error)
{
    assert(graph->weights || graph->params->size == 0);
    graph->step = step;
    for (int i = 0; i < graph->op_count; i++) {
        const OpKind *kind = graph->ops[i]->kind;
        const double begin = profile_begin();
        if (!kind->forward(graph, graph->ops[i], error))
            return false;
        profile_bytes(forward_bytes(graph->ops[i]));
        profile_end(begin, kind->name, PROFILE_FORWARD);
    }
    return true;
}

/* Parameters that no seeded value depends on have gradients of zero; the backward pass overwrites
 * the others. */
static void clear_gradients(const Graph *graph)
{
    for (int i = 0; i < graph->own_param_count; i++) {
        const int param = graph->own_params[i];
        memset(op_gradients(graph, param), 0, graph->params->items[param].count * sizeof(float));
    }
}

void graph_tell(Graph *graph, GraphReady *ready, void *context)
{
    graph->ready = ready;
    graph->ready_context = context;
}

/* Tells of the gradients that an operation has computed, or that are zero. */
static void tell(const Graph *graph, const Op *op)
{
    const Param *items = graph->params->items;
    const int params[] = {op->weight, op->bias};
    for (size_t i = 0; graph->ready && i < sizeof params / sizeof params[0]; i++)
        for (int k = params[i]; k >= 0 && k <= params[i] + op->stacked; k++)
            graph->ready(graph->ready_context, items[k].offset, items[k].count);
}

bool graph_backward(Graph *graph, float *gradients, Error *error)
{
    assert(gradients || !graph->options.weight_gradients);
    graph->gradients = gradients;
    if (gradients && graph->has_idle_params)
        clear_gradients(graph);
    for (int i = graph->op_count - 1; i >= 0; i--) {
        Op *op = graph->ops[i];
        if (!op->backward) {
            tell(graph, op);
            continue;
        }
        const double begin = profile_begin();
        if (!op->kind->backward(graph, op, error))
            return false;
        profile_bytes(backward_bytes(op));
        profile_end(begin, op->kind->name, PROFILE_BACKWARD);
        tell(graph, op);
    }
    graph->gradients = NULL;
    return true;
}

const float *op_weights(const Graph *graph, int param)
{
    return graph->weights + graph->params->items[param].offset;
}

float *op_gradients(const Graph *graph, int param)
{
    return graph->gradients + graph->params->items[param].offset;
}

bool op_pass_gradient(Op *op)
{
    Value *in = op->passes_gradient < 0 ? NULL : op->in[op->passes_gradient];
    if (!in || !in->needs_grad || in->grad == op->out->grad)
        return true;
    if (op->accumulate[op->passes_gradient])
        elementwise_add(in->type, in->grad, op->out->grad, value_count(in));
    else
        elementwise_copy(in->grad, op->out->grad, value_bytes(in));
    return true;
}

float *value_data(const Value *value)
{
    assert(value->type == DTYPE_F32);
    return value->data;
}

void value_read(const Value *value, float *out)
{
    const size_t count = value_count(value);
    for (size_t i = 0; i < count; i++)
        out[i] = load(value->data, value->type, i);
}

float *value_gradient(const Value *value)
{
    assert(value->type == DTYPE_F32);
    return value->grad;
}

size_t value_count(const Value *value)
{
    return (size_t)value->n * (size_t)value->h * (size_t)value->w * (size_t)value->c;
}

size_t value_bytes(const Value *value)
{
    return value_count(value) * dtype_size(value->type);
}

int value_channels(const Value *value)
{
    return value->c;
}

int value_height(const Value *value)
{
    return value->h;
}

size_t graph_bytes(const Graph *graph)
{
    return graph->arena_bytes + graph->packed_bytes;
}
