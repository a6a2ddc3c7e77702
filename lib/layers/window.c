/* Largest values and means over windows of pixels, forward only.
 *
 * Pixels outside the image take no part: they are never the largest, and a mean divides by the
 * number of pixels inside. Sums begin with the first pixel, so that no constant is added.
 */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"

#include <assert.h>

typedef struct WindowOp {
    Op op;
    Window window;
} WindowOp;

VECTORISED static void larger(float *restrict y, const float *restrict x, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c]; /* a NaN wins and stays */
}

VECTORISED static void add(float *restrict y, const float *restrict x, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        y[c] += x[c];
}

VECTORISED static void divide(float *y, float count, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        y[c] /= count;
}

static int within(int at, int most)
{
    return at < 0 ? 0 : at > most ? most : at;
}

/* y [channels] := the result of the window whose first pixel is at (row, column), which may be
 * outside. `image` [h, w, channels]. */
static void reduce(const Value *in, const Window *window, const float *image, int row, int column,
                   float *y)
{
    const size_t channels = (size_t)in->c, width = (size_t)in->w;
    const int first_row = within(row, in->h), end_row = within(row + window->size, in->h);
    const int first = within(column, in->w), end = within(column + window->size, in->w);
    bool begun = false;
    for (int h = first_row; h < end_row; h++)
        for (int w = first; w < end; w++) {
            const float *x = image + ((size_t)h * width + (size_t)w) * channels;
            if (!begun)
                memcpy(y, x, channels * sizeof *y);
            else if (window->mean)
                add(y, x, channels);
            else
                larger(y, x, channels);
            begun = true;
        }
    if (window->mean)
        divide(y, (float)((end_row - first_row) * (end - first)), channels);
}

static bool window_forward(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    const Window *window = &((const WindowOp *)op)->window;
    const Value *in = op->in[0], *out = op->out;
    const size_t image = (size_t)in->h * (size_t)in->w * (size_t)in->c;
    const int rows = out->n * out->h;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        const float *x = (const float *)in->data + (size_t)(r / out->h) * image;
        float *y = (float *)out->data + (size_t)r * (size_t)out->w * (size_t)out->c;
        for (int w = 0; w < out->w; w++)
            reduce(in, window, x, r % out->h * window->stride - window->padding,
                   w * window->stride - window->padding, y + (size_t)w * (size_t)out->c);
    }
    return true;
}

static const OpKind window_kind = {.name = "window", .forward = window_forward};

Value *nn_window(Graph *graph, Value *x, Window window)
{
    assert(!graph->options.weight_gradients && !graph->options.input_gradients);
    assert(x->type == DTYPE_F32 && window.stride > 0 && window.padding < window.size);
    assert(x->h + 2 * window.padding >= window.size && x->w + 2 * window.padding >= window.size);
    const int height = (x->h + 2 * window.padding - window.size) / window.stride + 1;
    const int width = (x->w + 2 * window.padding - window.size) / window.stride + 1;
    WindowOp *op = memory_small(1, sizeof *op);
    op->window = window;
    op->op = (Op){.in = {x}, .weight = -1, .bias = -1, .passes_gradient = -1};
    return graph_append(graph, &op->op, &window_kind, (Shape){x->n, height, width, x->c, x->type});
}
