/* The engine: a network as a graph that is built once and run many times.
 *
 *     Graph *g = graph_new(&params, options);
 *     Value *x = graph_input(g, height, width, channels);
 *     Value *h = nn_conv2d(g, x, "conv_in", 64, (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
 *     h = nn_group_norm(g, h, "norm_out", (Norm){.groups = 32, .silu = true});
 *     graph_keep(g, h);
 *     graph_finish(g, &error);
 *
 * A builder function (layers.h) appends one operation, registers its parameters and returns its
 * output. It cannot fail: graph_finish, which compiles the operations for this processor and plans
 * all memory, reports all failures.
 *
 * Memory. Each value, gradient and scratch buffer lives from the step that writes it to the last
 * step that reads it, backward steps included, and buffers whose lives do not meet share bytes of
 * one arena. An inference graph therefore needs little more than its widest layer, and a training
 * graph just what its backward pass reads.
 *
 * Precision. Images are of the graph's type, float32 or bfloat16, and so are their gradients.
 * Always float32 are: inputs that the caller fills, vectors (the time embedding, which costs
 * nothing), outputs that ask for it (Conv.float32), weights, their gradients, and all sums.
 *
 * Gradients flow to the parameters, to the inputs, or to both, as the options say; operations that
 * lead to neither have no backward pass.
 */
#pragma once

#include "engine/params.h"
#include "engine/primitive.h"

typedef struct Graph Graph;

/* A tensor [n, h, w, c], channels last; a vector per image has h = w = 1. */
typedef struct Value Value;

typedef struct GraphOptions {
    /* Images per run. */
    int batch;
    /* The type of images inside the graph (see Precision above). */
    DType type;
    /* Whether convolutions are computed directly, never by Winograd's algorithm. */
    bool direct;
    /* Whether the backward pass gives gradients of the parameters, and of the inputs. */
    bool weight_gradients, input_gradients;
    /* Whether dropout is on (training mode), the seed of its masks, and the number of the first
     * image, where the images are a part of a batch. */
    bool dropout;
    uint64_t seed;
    uint32_t first;
} GraphOptions;

/* An empty graph; its parameters are added to `params`, which must outlive it. */
Graph *graph_new(ParamSet *params, GraphOptions options);
void graph_free(Graph *graph);

/* An input [batch, height, width, channels], float32, which the caller fills before each run. */
Value *graph_input(Graph *graph, int height, int width, int channels);

/* An input of the shape and the type of another graph's kept value, which is read where it lies:
 * that graph runs first. That graph must be finished, this one not. */
Value *graph_input_from(Graph *graph, const Value *value);

/* Keeps a value until the next run, so that the caller can read it. */
void graph_keep(Graph *graph, Value *value);

/* Marks a value whose gradient the caller writes between graph_forward and graph_backward: the
 * result of an operation, not an input. */
void graph_seed(Graph *graph, Value *value);

/* Compiles and plans; nothing can be added afterwards. Fails for want of memory or of a oneDNN
 * implementation. */
bool graph_finish(Graph *graph, Error *error);

/* Takes its weights from the flat array `weights` (layout: params), which must stay where it is.
 * To be called again whenever its numbers have changed. */
void graph_load_weights(Graph *graph, const float *weights);

/* Runs forward. `step` keys the dropout masks. */
bool graph_forward(Graph *graph, uint32_t step, Error *error);

/* Runs backward from the seeded gradients, after graph_forward on the same inputs. `gradients`:
 * flat array (layout: params), every tensor of the graph overwritten, with zeros where no seeded
 * value depends on it; NULL if the graph has no weight gradients. */
bool graph_backward(Graph *graph, float *gradients, Error *error);

/* Contents of a float32 value, [n, h, w, c]: of an input (to write), of a kept value (to read). */
float *value_data(const Value *value);

/* out [n, h, w, c] := the contents of a kept value of any type. */
void value_read(const Value *value, float *out);

/* Gradient of a float32 value that is seeded (to write) or an input (to read, after graph_backward,
 * if a seeded value depends on it). */
float *value_gradient(const Value *value);

size_t value_count(const Value *value); /* elements: n h w c */
int value_channels(const Value *value);
int value_height(const Value *value);

/* Bytes that the graph holds: arena and packed weights. */
size_t graph_bytes(const Graph *graph);
