/* Moving pixels and channels: nearest-neighbour upsampling and concatenation. */
#include "nn/op.h"

#include "base/dispatch.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

/* Upsampling. One row of pixels becomes two rows of pixels written twice each. */

static void upsample_row(float *y, const float *x, size_t width, size_t channels)
{
    size_t pixel = channels * sizeof *x, wide = 2 * width * channels;
    for (size_t i = 0; i < width; i++) {
        memcpy(y + 2 * i * channels, x + i * channels, pixel);
        memcpy(y + (2 * i + 1) * channels, x + i * channels, pixel);
    }
    memcpy(y + wide, y, wide * sizeof *y);
}

/* dx of a pixel is the sum of its four copies' gradients. */
VECTORISED static void upsample_row_backward(float *restrict dx, const float *restrict dy,
                                             size_t width, size_t channels, bool add)
{
    const float *below = dy + 2 * width * channels;
    for (size_t i = 0; i < width; i++) {
        const float *top = dy + 2 * i * channels, *bottom = below + 2 * i * channels;
        for (size_t c = 0; c < channels; c++) {
            float sum = (top[c] + top[channels + c]) + (bottom[c] + bottom[channels + c]);
            dx[i * channels + c] = add ? dx[i * channels + c] + sum : sum;
        }
    }
}

static bool upsample_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0];
    const float *x = in->data;
    float *y = op->out->data;
    size_t rows = (size_t)in->n * (size_t)in->h;
    size_t width = (size_t)in->w, channels = (size_t)in->c, row = width * channels;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        upsample_row(y + 4 * r * row, x + r * row, width, channels);
    return true;
}

static bool upsample_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0];
    float *dx = in->grad;
    const float *dy = op->out->grad;
    size_t rows = (size_t)in->n * (size_t)in->h;
    size_t width = (size_t)in->w, channels = (size_t)in->c, row = width * channels;
    const bool add = op->accumulate[0];
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        upsample_row_backward(dx + r * row, dy + 4 * r * row, width, channels, add);
    return true;
}

static const OpKind upsample_kind = {
    .name = "upsample",
    .forward = upsample_forward,
    .backward = upsample_backward,
};

Value *nn_upsample(Graph *graph, Value *x)
{
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &upsample_kind, x->n, 2 * x->h, 2 * x->w, x->c);
}

/* Concatenation: pixel by pixel, a's channels and then b's. */

static bool concat_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const float *a = op->in[0]->data, *b = op->in[1]->data;
    float *y = op->out->data;
    size_t a_width = (size_t)op->in[0]->c, b_width = (size_t)op->in[1]->c;
    size_t width = a_width + b_width, pixels = value_count(op->out) / width;
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < pixels; p++) {
        memcpy(y + p * width, a + p * a_width, a_width * sizeof *y);
        memcpy(y + p * width + a_width, b + p * b_width, b_width * sizeof *y);
    }
    return true;
}

VECTORISED static void take(float *restrict to, const float *restrict from, size_t count, bool add)
{
    if (add)
        for (size_t c = 0; c < count; c++)
            to[c] += from[c];
    else
        memcpy(to, from, count * sizeof *to);
}

static bool concat_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const float *dy = op->out->grad;
    size_t width = (size_t)op->out->c, pixels = value_count(op->out) / width, start = 0;
    for (int k = 0; k < 2; k++) {
        const Value *in = op->in[k];
        float *dx = in->grad;
        size_t part = (size_t)in->c;
        bool add = op->accumulate[k];
        if (in->needs_grad) {
#pragma omp parallel for schedule(static)
            for (size_t p = 0; p < pixels; p++)
                take(dx + p * part, dy + p * width + start, part, add);
        }
        start += part;
    }
    return true;
}

static const OpKind concat_kind = {
    .name = "concat",
    .forward = concat_forward,
    .backward = concat_backward,
};

Value *nn_concat(Graph *graph, Value *a, Value *b)
{
    assert(a->h == b->h && a->w == b->w);
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {a, b}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &concat_kind, a->n, a->h, a->w, a->c + b->c);
}
