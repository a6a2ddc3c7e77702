/* Operations, for the files of lib/layers that implement one.
 *
 * A layer file defines a struct that begins with `Op op`, and an OpKind of functions for it
 * (prepare, pack, remake and release may be NULL):
 *
 *     prepare   compiles primitives, says what backward reads and how much memory it needs
 *     pack      copies weights into the layout that the primitives read
 *     forward   reads in[k]->data, writes out->data
 *     backward  reads out->grad, writes (or, where accumulate[k], adds to) in[k]->grad where
 *               in[k]->needs_grad, and overwrites its parameters' gradients
 *     remake    computes rows of out->data again, in the backward pass, float32 only
 *     release   frees what prepare made
 */
#pragma once

#include "engine/graph_tell.h"

enum { OP_MAX_INPUTS = 2 };

typedef struct Op Op;

/* Images, height, width and channels, and the type of an element. */
typedef struct Shape {
    int n, h, w, c;
    DType type;
} Shape;

struct Value {
    int n, h, w, c;
    DType type;
    /* The operation that writes the value. NULL for an input. */
    Op *producer;
    /* Set when memory is planned. NULL for an input until it is bound to the caller's memory. */
    void *data;
    void *grad;
    /* Whether data belongs to the caller. */
    bool bound;
    /* Whether the caller reads data after the run. */
    bool kept;
    /* Whether the caller writes grad. */
    bool seeded;
    /* Whether a gradient flows through the value. */
    bool needs_grad;

    /* While planning: the value whose gradient memory this one shares (often itself), and the steps
     * over which data and gradient are alive. */
    Value *grad_owner;
    int data_first, data_last, grad_first, grad_last;
};

typedef struct OpKind {
    const char *name;
    bool (*prepare)(Graph *graph, Op *op, Error *error);
    void (*pack)(Graph *graph, Op *op);
    bool (*forward)(Graph *graph, Op *op, Error *error);
    bool (*backward)(Graph *graph, Op *op, Error *error);
    void (*remake)(const Graph *graph, const Op *op, int first, int last, float *to);
    void (*release)(Op *op);
} OpKind;

struct Op {
    const OpKind *kind;
    /* The inputs, NULL beyond the last. */
    Value *in[OP_MAX_INPUTS];
    Value *out;
    /* Indices of its parameters in the set, -1 for none. */
    int weight, bias;
    /* How many more weights, and as many more biases, come next in the set and are its own too. */
    int stacked;

    /* Known before prepare. */
    /* Whether it takes part in the backward pass. */
    bool backward;
    /* Whether another operation has written the gradient of this input before. */
    bool accumulate[OP_MAX_INPUTS];
    /* Its place in the graph's order. */
    int index;

    /* Set by the builder: this input's gradient is the output's, unchanged; -1 for none. If it
     * can, the planner gives both the same memory, and backward has nothing to do for it. */
    int passes_gradient;

    /* Set by prepare. */
    /* Whether remake works, from now to the operation's backward step. */
    bool remakes;
    /* Whether backward reads this input's data. */
    bool reads_input[OP_MAX_INPUTS];
    /* Bytes that forward writes and backward reads. */
    size_t saved_bytes;
    size_t forward_scratch_bytes, backward_scratch_bytes;

    /* Set by the planner. */
    void *saved, *forward_scratch, *backward_scratch;
};

struct Graph {
    ParamSet *params;
    GraphOptions options;
    Op **ops;
    int op_count;
    Value **values;
    int value_count;
    /* Indices of the graph's parameters in `params`, which other graphs may share. */
    int *own_params;
    int own_param_count;
    /* Whether an operation without a backward pass has parameters. */
    bool has_idle_params;
    const float *weights;
    /* The argument of graph_backward, while that runs. */
    float *gradients;
    /* Who is told of complete gradients; NULL: nobody. */
    GraphReady *ready;
    void *ready_context;
    uint32_t step;
    void *arena;
    size_t arena_bytes;
    /* The packed weights of all operations (engine/packing.h). */
    void *packed;
    size_t packed_bytes;
};

/* Appends an operation: `op` (first member of an allocated struct) is owned by the graph from here;
 * its output gets the given shape. */
Value *graph_append(Graph *graph, Op *op, const OpKind *kind, Shape shape);

/* Registers "<name>.weight" and "<name>.bias"-like parameters; returns the index. */
int graph_param(Graph *graph, const char *name, const char *suffix, int rank, const int *shape,
                ParamInit init, int fan_in);

const float *op_weights(const Graph *graph, int param);
float *op_gradients(const Graph *graph, int param);

size_t value_bytes(const Value *value);

/* The backward pass of a residual sum: the gradient of in[passes_gradient] is the output's. */
bool op_pass_gradient(Op *op);
