/* Moving pixels and channels: nearest-neighbour upsampling, average pooling, concatenation. */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/elementwise.h"

#include <assert.h>

/* Upsampling. One row of pixels becomes two rows of pixels written twice each. */

static void upsample_row(char *y, const char *x, size_t width, size_t pixel_bytes)
{
    size_t wide = 2 * width * pixel_bytes;
    for (size_t i = 0; i < width; i++) {
        memcpy(y + 2 * i * pixel_bytes, x + i * pixel_bytes, pixel_bytes);
        memcpy(y + (2 * i + 1) * pixel_bytes, x + i * pixel_bytes, pixel_bytes);
    }
    memcpy(y + wide, y, wide);
}

/* dx of a pixel is the sum of its four copies' gradients. */
INLINED void upsample_row_backward_as(DType type, void *restrict dx, const void *restrict dy,
                                      size_t width, size_t channels, bool add)
{
    for (size_t i = 0; i < width; i++) {
        size_t at = i * channels, top = 2 * at, below = 2 * (width * channels + at);
        for (size_t c = 0; c < channels; c++) {
            float sum = (load(dy, type, top + c) + load(dy, type, top + channels + c)) +
                        (load(dy, type, below + c) + load(dy, type, below + channels + c));
            store(dx, type, at + c, add ? load(dx, type, at + c) + sum : sum);
        }
    }
}

VECTORISED static void upsample_row_backward(DType type, void *dx, const void *dy, size_t width,
                                             size_t channels, bool add)
{
    if (type == DTYPE_F32)
        upsample_row_backward_as(DTYPE_F32, dx, dy, width, channels, add);
    else
        upsample_row_backward_as(DTYPE_BF16, dx, dy, width, channels, add);
}

static bool upsample_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0];
    const char *x = in->data;
    char *y = op->out->data;
    size_t rows = (size_t)in->n * (size_t)in->h, width = (size_t)in->w;
    size_t pixel_bytes = (size_t)in->c * dtype_size(in->type), row = width * pixel_bytes;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        upsample_row(y + 4 * r * row, x + r * row, width, pixel_bytes);
    return true;
}

static bool upsample_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0];
    const DType type = in->type;
    size_t rows = (size_t)in->n * (size_t)in->h;
    size_t width = (size_t)in->w, channels = (size_t)in->c, row = width * channels;
    const bool add = op->accumulate[0];
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        upsample_row_backward(type, dtype_at(in->grad, type, r * row),
                              dtype_at(op->out->grad, type, 4 * r * row), width, channels, add);
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
    return graph_append(graph, op, &upsample_kind,
                        (Shape){x->n, 2 * x->h, 2 * x->w, x->c, x->type});
}

/* Average pooling. A row of pixels is the mean of two rows of twice the width. */

INLINED void pool_row_as(DType type, void *restrict y, const void *restrict x, size_t width,
                         size_t channels)
{
    for (size_t i = 0; i < width; i++) {
        size_t at = i * channels, top = 2 * at, below = 2 * (width * channels + at);
        for (size_t c = 0; c < channels; c++) {
            float sum = (load(x, type, top + c) + load(x, type, top + channels + c)) +
                        (load(x, type, below + c) + load(x, type, below + channels + c));
            store(y, type, at + c, 0.25f * sum);
        }
    }
}

VECTORISED static void pool_row(DType type, void *y, const void *x, size_t width, size_t channels)
{
    if (type == DTYPE_F32)
        pool_row_as(DTYPE_F32, y, x, width, channels);
    else
        pool_row_as(DTYPE_BF16, y, x, width, channels);
}

/* Each of four pixels gets a quarter of the gradient of their mean. */
INLINED void pool_row_backward_as(DType type, void *restrict dx, const void *restrict dy,
                                  size_t width, size_t channels, bool add)
{
    for (size_t row = 0; row < 2; row++)
        for (size_t i = 0; i < 2 * width; i++) {
            size_t at = (2 * row * width + i) * channels, from = i / 2 * channels;
            for (size_t c = 0; c < channels; c++) {
                float d = 0.25f * load(dy, type, from + c);
                store(dx, type, at + c, add ? load(dx, type, at + c) + d : d);
            }
        }
}

VECTORISED static void pool_row_backward(DType type, void *dx, const void *dy, size_t width,
                                         size_t channels, bool add)
{
    if (type == DTYPE_F32)
        pool_row_backward_as(DTYPE_F32, dx, dy, width, channels, add);
    else
        pool_row_backward_as(DTYPE_BF16, dx, dy, width, channels, add);
}

static bool pool_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0], *out = op->out;
    size_t rows = (size_t)out->n * (size_t)out->h;
    size_t width = (size_t)out->w, channels = (size_t)out->c, row = width * channels;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        pool_row(in->type, dtype_at(out->data, in->type, r * row),
                 dtype_at(in->data, in->type, 4 * r * row), width, channels);
    return true;
}

static bool pool_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Value *in = op->in[0], *out = op->out;
    size_t rows = (size_t)out->n * (size_t)out->h;
    size_t width = (size_t)out->w, channels = (size_t)out->c, row = width * channels;
    const bool add = op->accumulate[0];
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        pool_row_backward(in->type, dtype_at(in->grad, in->type, 4 * r * row),
                          dtype_at(out->grad, in->type, r * row), width, channels, add);
    return true;
}

static const OpKind pool_kind = {
    .name = "average pool",
    .forward = pool_forward,
    .backward = pool_backward,
};

Value *nn_average_pool(Graph *graph, Value *x)
{
    assert(x->h % 2 == 0 && x->w % 2 == 0);
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &pool_kind, (Shape){x->n, x->h / 2, x->w / 2, x->c, x->type});
}

/* Concatenation: pixel by pixel, a's channels and then b's. */

static bool concat_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const char *a = op->in[0]->data, *b = op->in[1]->data;
    char *y = op->out->data;
    size_t element = dtype_size(op->out->type);
    size_t a_bytes = (size_t)op->in[0]->c * element, b_bytes = (size_t)op->in[1]->c * element;
    size_t bytes = a_bytes + b_bytes, pixels = value_bytes(op->out) / bytes;
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < pixels; p++) {
        memcpy(y + p * bytes, a + p * a_bytes, a_bytes);
        memcpy(y + p * bytes + a_bytes, b + p * b_bytes, b_bytes);
    }
    return true;
}

INLINED void add_as(DType type, void *restrict to, const void *restrict from, size_t count)
{
    for (size_t c = 0; c < count; c++)
        store(to, type, c, load(to, type, c) + load(from, type, c));
}

VECTORISED static void take(DType type, void *to, const void *from, size_t count, bool add)
{
    if (!add)
        memcpy(to, from, count * dtype_size(type));
    else if (type == DTYPE_F32)
        add_as(DTYPE_F32, to, from, count);
    else
        add_as(DTYPE_BF16, to, from, count);
}

static bool concat_backward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const void *dy = op->out->grad;
    const DType type = op->out->type;
    size_t width = (size_t)op->out->c, pixels = value_count(op->out) / width, start = 0;
    for (int k = 0; k < 2; k++) {
        const Value *in = op->in[k];
        size_t part = (size_t)in->c;
        bool add = op->accumulate[k];
        if (in->needs_grad) {
#pragma omp parallel for schedule(static)
            for (size_t p = 0; p < pixels; p++)
                take(type, dtype_at(in->grad, type, p * part),
                     dtype_at(dy, type, p * width + start), part, add);
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
    assert(a->h == b->h && a->w == b->w && a->type == b->type);
    Op *op = memory_small(1, sizeof *op);
    *op = (Op){.in = {a, b}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, op, &concat_kind, (Shape){a->n, a->h, a->w, a->c + b->c, a->type});
}
