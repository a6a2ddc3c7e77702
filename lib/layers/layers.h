/* The builder functions: one per kind of layer, each in the file of its name.
 *
 * Every function appends one operation to the graph and returns its output value. `name` is the
 * state-dict prefix of its parameters: "conv_in" owns "conv_in.weight" and "conv_in.bias".
 */
#pragma once

#include "engine/graph.h"

typedef struct Conv {
    int kernel;
    /* The shape of the kernel: kernel x kernel, or a row, or a column, without padding across. */
    ConvSpan span;
    /* 0 means a stride of 1. */
    int stride;
    /* Rows of zeros above and columns to the left; rows below and columns to the right. */
    int pad_begin, pad_end;
    /* A value of the result's type that is added to the result; NULL for none. */
    Value *residual;
    /* Whether the result is float32 whatever the type of the graph. */
    bool float32;
    /* The number of convolutions of one input, side by side. 0: a single one. */
    int banks;
} Conv;

/* Convolution with bias, [n, h, w, c] -> [n, h', w', channels], computed in the graph's type;
 * weight [channels, c, height, width] of the kernel, uniform in +-1/sqrt(fan_in) at the start. With banks the
 * result has banks * channels channels, and weight and bias [channels] begin with one more
 * dimension, [banks]. */
Value *nn_conv2d(Graph *graph, Value *x, const char *name, int channels, Conv conv);

/* Linear layer over the last dimension, [n, h, w, c] -> [n, h, w, channels]: a fully connected
 * layer on a vector, a 1x1 convolution on an image. */
Value *nn_linear(Graph *graph, Value *x, const char *name, int channels);

/* The same with weight [channels, c, 1, 1], as a 1x1 convolution is named in PyTorch; `residual`
 * (NULL for none) is added to the result. */
Value *nn_conv1x1(Graph *graph, Value *x, const char *name, int channels, Value *residual);

/* `count` 1x1 convolutions of one input in one matrix product, [n, h, w, c] ->
 * [n, h, w, count * channels], the results side by side in the order of `names`. */
Value *nn_conv1x1_stack(Graph *graph, Value *x, const char *const *names, int count, int channels);

typedef struct Norm {
    int groups;
    /* The time embedding's shift, float32 [n, 1, 1, c], added to x before normalising; or NULL. */
    Value *shift;
    /* Instead of a shift, numbers of the time embedding for after normalising, float32
     * [n, 1, 1, 2c], first m - 1 and then s; or NULL. */
    Value *modulation;
    /* Added to the variance; 0: 1e-6. */
    double epsilon;
    /* Whether z * sigmoid(z) follows. */
    bool silu;
    /* The probability with which an element then becomes zero. Without effect unless the graph has
     * dropout. */
    double dropout;
} Norm;

/* Group normalisation (Wu & He 2018) in one pass with its neighbours in the U-Net:
 * y = dropout(silu(norm(x + shift) * weight + bias)), or, with a modulation,
 * y = dropout(silu((norm(x) * weight + bias) * m + s)). weight, bias [c] start at 1 and 0. */
Value *nn_group_norm(Graph *graph, Value *x, const char *name, Norm norm);

/* z * sigmoid(z), elementwise. */
Value *nn_silu(Graph *graph, Value *x);

/* max(z, 0), elementwise. */
Value *nn_relu(Graph *graph, Value *x);

/* x in another type; x itself where it has that type. */
Value *nn_cast(Graph *graph, Value *x, DType type);

/* Self-attention over all pixels: qkv [n, h, w, 3c] holds queries, keys and values side by side.
 * Each head has d = c / heads channels of all three, head after head, and gives the same channels of
 * the result: out [n, h, w, c] = softmax(q k' / sqrt(d)) v. */
Value *nn_attention(Graph *graph, Value *qkv, int heads);

/* Means of 2 x 2 pixels, [n, 2h, 2w, c] -> [n, h, w, c]. */
Value *nn_average_pool(Graph *graph, Value *x);

typedef struct Window {
    /* Pixels along each side. */
    int size, stride;
    /* Pixels outside the image on each side that a window may span; less than `size`. */
    int padding;
    /* The mean instead of the largest value. */
    bool mean;
} Window;

/* The largest value, or the mean, of the pixels of each window, channel by channel, [n, h, w, c] ->
 * [n, h', w', c]. Pixels outside the image count for nothing, not even in the number that a mean is
 * divided by. x is float32, and the graph has no gradients. */
Value *nn_window(Graph *graph, Value *x, Window window);

/* Nearest-neighbour upsampling, [n, h, w, c] -> [n, 2h, 2w, c]. */
Value *nn_upsample(Graph *graph, Value *x);

/* Channels of a, then those of b. */
Value *nn_concat(Graph *graph, Value *a, Value *b);
