/* Group normalisation and all that surrounds it in the U-Net, in one pass over memory:
 *
 *     u = x + shift                      shift: the time embedding, one number per image and channel
 *     xhat = (u - mean) * rstd           over the pixels and channels of a group, eps 1e-6
 *     z = weight * xhat + bias
 *     y = silu(z) * mask / keep
 *
 * An image is a matrix [pixels, channels] small enough for a core's cache; each thread takes whole
 * images, reads one from memory once and writes its result once. Only mean and rstd are stored:
 * backward recomputes xhat and z from x, and draws the dropout mask again.
 *
 *     dz = dy * mask / keep * silu'(z),  d weight = sum dz xhat,  d bias = sum dz
 *     du = rstd * (weight dz - mean_g(weight dz) - xhat mean_g(weight dz xhat))
 *     dx = du,  d shift = sum of du over the pixels
 */
#include "nn/op.h"

#include "base/memory.h"
#include "nn/activation.h"
#include "nn/dropout.h"
#include "nn/elementwise.h"

#include <assert.h>
#include <math.h>
#include <omp.h>

static const double epsilon = 1e-6;

typedef struct GroupNormOp {
    Op op; /* in[0]: x, in[1]: shift */
    int groups;
    bool silu;
    double dropout;
    uint32_t layer; /* tells its dropout masks from other layers' */
    int threads;    /* for which the working memory is planned */
} GroupNormOp;

/* Sums over the pixels of an image, per channel: of x - first and of its square, `first` being the
 * first pixel. Near the data, it saves the squares from cancellation when the mean is large. */
VECTORISED static void channel_sums(float *restrict sum, float *restrict square,
                                    const float *restrict x, size_t pixels, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        sum[c] = square[c] = 0.0f;
    size_t p = 1;
    for (; p + 1 < pixels; p += 2) {
        const float *a = x + p * channels, *b = a + channels;
        for (size_t c = 0; c < channels; c++) {
            float da = a[c] - x[c], db = b[c] - x[c];
            sum[c] += da + db;
            square[c] += da * da + db * db;
        }
    }
    for (; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            float d = x[p * channels + c] - x[c];
            sum[c] += d;
            square[c] += d * d;
        }
}

/* mean and rstd [groups] of u = x + shift, from the sums per channel (Chan et al. 1983). */
static void group_statistics(float *mean, float *rstd, const float *sum, const float *square,
                             const float *x, const float *shift, size_t pixels, size_t channels,
                             int groups)
{
    size_t width = channels / (size_t)groups;
    for (int g = 0; g < groups; g++) {
        size_t first = (size_t)g * width;
        double total = 0.0, spread = 0.0, centre;
        for (size_t c = first; c < first + width; c++)
            total += x[c] + (shift ? (double)shift[c] : 0.0) + sum[c] / (double)pixels;
        centre = total / (double)width;
        for (size_t c = first; c < first + width; c++) {
            double away = sum[c] / (double)pixels;
            double channel_mean = x[c] + (shift ? (double)shift[c] : 0.0) + away;
            spread += square[c] / (double)pixels - away * away +
                      (channel_mean - centre) * (channel_mean - centre);
        }
        double variance = spread / (double)width;
        mean[g] = (float)centre;
        rstd[g] = (float)(1.0 / sqrt((variance > 0.0 ? variance : 0.0) + epsilon));
    }
}

/* The normalisation of each channel as xhat = scale x + offset. */
static void channel_affine(float *scale, float *offset, const float *mean, const float *rstd,
                           const float *shift, size_t channels, int groups)
{
    size_t width = channels / (size_t)groups;
    for (size_t c = 0; c < channels; c++) {
        size_t g = c / width;
        scale[c] = rstd[g];
        offset[c] = ((shift ? shift[c] : 0.0f) - mean[g]) * rstd[g];
    }
}

VECTORISED static void normalise(float *restrict y, const float *restrict x,
                                 const float *restrict scale, const float *restrict offset,
                                 size_t pixels, size_t channels, bool with_silu)
{
    for (size_t p = 0; p < pixels; p++) {
        const float *in = x + p * channels;
        float *out = y + p * channels;
        if (with_silu) {
#pragma omp simd
            for (size_t c = 0; c < channels; c++)
                out[c] = silu(scale[c] * in[c] + offset[c]);
        } else {
#pragma omp simd
            for (size_t c = 0; c < channels; c++)
                out[c] = scale[c] * in[c] + offset[c];
        }
    }
}

/* dz [pixels, channels] from `dy`, which it may overwrite, and per channel the sums of dz and of
 * dz xhat. `mask` holds 0 or 1/keep per element, or is NULL. */
VECTORISED static void backward_sums(float *dz, const float *dy, const float *restrict mask,
                                     const float *restrict x, const float *restrict scale,
                                     const float *restrict offset, const float *restrict weight,
                                     const float *restrict bias, float *restrict sum,
                                     float *restrict sum_xhat, size_t pixels, size_t channels,
                                     bool with_silu)
{
    for (size_t c = 0; c < channels; c++)
        sum[c] = sum_xhat[c] = 0.0f;
    for (size_t p = 0; p < pixels; p++) {
        const float *restrict in = x + p * channels;
        const float *g = dy + p * channels;
        float *out = dz + p * channels;
        if (mask) {
            for (size_t c = 0; c < channels; c++)
                out[c] = g[c] * mask[p * channels + c];
            g = out;
        }
        if (with_silu) {
#pragma omp simd
            for (size_t c = 0; c < channels; c++) {
                float xhat = scale[c] * in[c] + offset[c];
                float d = g[c] * silu_derivative(weight[c] * xhat + bias[c]);
                out[c] = d;
                sum[c] += d;
                sum_xhat[c] += d * xhat;
            }
        } else {
#pragma omp simd
            for (size_t c = 0; c < channels; c++) {
                float xhat = scale[c] * in[c] + offset[c];
                out[c] = g[c];
                sum[c] += g[c];
                sum_xhat[c] += g[c] * xhat;
            }
        }
    }
}

/* dx = rstd (weight dz - a - xhat b), written or added; per channel, du's sum over the pixels. */
VECTORISED static void backward_input(float *dx, const float *dz, const float *restrict x,
                                      const float *restrict scale, const float *restrict offset,
                                      const float *restrict weight, const float *restrict a,
                                      const float *restrict b, float *restrict d_shift,
                                      size_t pixels, size_t channels, bool add)
{
    for (size_t c = 0; c < channels; c++)
        d_shift[c] = 0.0f;
    for (size_t p = 0; p < pixels; p++) {
        const float *restrict in = x + p * channels;
        const float *g = dz + p * channels;
        float *out = dx + p * channels;
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            float xhat = scale[c] * in[c] + offset[c];
            float du = scale[c] * (weight[c] * g[c] - a[c] - xhat * b[c]);
            d_shift[c] += du;
            out[c] = add ? out[c] + du : du;
        }
    }
}

static size_t floats(size_t count)
{
    size_t per_line = MEMORY_ALIGNMENT / sizeof(float);
    return (count + per_line - 1) / per_line * per_line;
}

static size_t image_size(const Op *op)
{
    return (size_t)op->in[0]->h * (size_t)op->in[0]->w * (size_t)op->in[0]->c;
}

static bool drops(const Graph *graph, const GroupNormOp *norm)
{
    return graph->options.dropout && norm->dropout > 0.0;
}

/* A thread's working memory: six vectors per channel, then, in backward, an image of dz and one of
 * the mask. */
enum { WORK_VECTORS = 6 };

static size_t work_size(const Op *op, bool backward)
{
    return WORK_VECTORS * floats((size_t)op->in[0]->c) +
           (backward ? 2 * floats(image_size(op)) : 0);
}

static bool group_norm_prepare(Graph *graph, Op *op, Error *error)
{
    (void)graph, (void)error;
    GroupNormOp *norm = (GroupNormOp *)op;
    norm->threads = omp_get_max_threads();
    size_t n = (size_t)op->in[0]->n, threads = (size_t)norm->threads;
    op->saved_bytes = 2 * n * (size_t)norm->groups * sizeof(float);
    op->forward_scratch_bytes = threads * work_size(op, false) * sizeof(float);
    op->reads_input[0] = op->reads_input[1] = true;
    op->backward_scratch_bytes =
        (threads * work_size(op, true) + 2 * n * (size_t)op->in[0]->c) * sizeof(float);
    return true;
}

/* What both passes know of one image. */
typedef struct Image {
    const float *x, *shift;
    float *mean, *rstd;
    size_t pixels, channels;
} Image;

static Image image_of(const GroupNormOp *norm, size_t i)
{
    const Op *op = &norm->op;
    size_t channels = (size_t)op->in[0]->c, groups = (size_t)norm->groups;
    float *saved = op->saved;
    return (Image){
        .x = (const float *)op->in[0]->data + i * image_size(op),
        .shift = op->in[1] ? (const float *)op->in[1]->data + i * channels : NULL,
        .mean = saved + 2 * i * groups,
        .rstd = saved + (2 * i + 1) * groups,
        .pixels = image_size(op) / channels,
        .channels = channels,
    };
}

static void forward_image(const GroupNormOp *norm, Image m, const float *weight, const float *bias,
                          float *y, float *work)
{
    size_t line = floats(m.channels);
    float *sum = work, *square = work + line, *scale = work + 2 * line, *offset = work + 3 * line;
    channel_sums(sum, square, m.x, m.pixels, m.channels);
    group_statistics(m.mean, m.rstd, sum, square, m.x, m.shift, m.pixels, m.channels, norm->groups);
    channel_affine(scale, offset, m.mean, m.rstd, m.shift, m.channels, norm->groups);
    for (size_t c = 0; c < m.channels; c++) {
        scale[c] *= weight[c];
        offset[c] = offset[c] * weight[c] + bias[c];
    }
    normalise(y, m.x, scale, offset, m.pixels, m.channels, norm->silu);
}

static DropoutMask mask_of(const Graph *graph, const GroupNormOp *norm, size_t image)
{
    return dropout_mask(graph->options.seed, norm->layer, graph->step, (uint32_t)image,
                        norm->dropout);
}

static bool group_norm_forward(Graph *graph, Op *op, Error *error)
{
    (void)error;
    const GroupNormOp *norm = (GroupNormOp *)op;
    const float *weight = op_weights(graph, op->weight), *bias = op_weights(graph, op->bias);
    const bool dropped = drops(graph, norm);
    size_t n = (size_t)op->in[0]->n, size = image_size(op);
#pragma omp parallel for schedule(static) num_threads(norm->threads)
    for (size_t i = 0; i < n; i++) {
        float *work =
            (float *)op->forward_scratch + (size_t)omp_get_thread_num() * work_size(op, false);
        float *y = (float *)op->out->data + i * size;
        forward_image(norm, image_of(norm, i), weight, bias, y, work);
        if (dropped)
            dropout_apply(mask_of(graph, norm, i), y, size);
    }
    return true;
}

/* a and b of backward_input for each channel: its group's means of weight dz and weight dz xhat. */
static void group_means(float *a, float *b, const float *sum, const float *sum_xhat,
                        const float *weight, size_t pixels, size_t channels, int groups)
{
    size_t width = channels / (size_t)groups;
    for (size_t first = 0; first < channels; first += width) {
        double mean = 0.0, mean_xhat = 0.0;
        for (size_t c = first; c < first + width; c++) {
            mean += (double)weight[c] * sum[c];
            mean_xhat += (double)weight[c] * sum_xhat[c];
        }
        for (size_t c = first; c < first + width; c++) {
            a[c] = (float)(mean / (double)(pixels * width));
            b[c] = (float)(mean_xhat / (double)(pixels * width));
        }
    }
}

/* Backward of image i; leaves the image's share of d bias and d weight in sums [2, channels]. */
static void backward_image(const Graph *graph, const GroupNormOp *norm, size_t i, float *sums,
                           float *work)
{
    const Op *op = &norm->op;
    const Image m = image_of(norm, i);
    const float *weight = op_weights(graph, op->weight), *bias = op_weights(graph, op->bias);
    const float *dy = (const float *)op->out->grad + i * image_size(op);
    size_t line = floats(m.channels);
    float *scale = work, *offset = work + line, *a = work + 2 * line, *b = work + 3 * line;
    float *d_shift = work + 4 * line, *dz = work + WORK_VECTORS * line, *mask = NULL;
    float *sum = sums, *sum_xhat = sums + m.channels;

    if (drops(graph, norm)) {
        mask = dz + floats(image_size(op));
        dropout_fill(mask_of(graph, norm, i), mask, image_size(op));
    }
    channel_affine(scale, offset, m.mean, m.rstd, m.shift, m.channels, norm->groups);
    backward_sums(dz, dy, mask, m.x, scale, offset, weight, bias, sum, sum_xhat, m.pixels,
                  m.channels, norm->silu);
    bool shifts = op->in[1] && op->in[1]->needs_grad;
    if (!op->in[0]->needs_grad && !shifts)
        return;
    group_means(a, b, sum, sum_xhat, weight, m.pixels, m.channels, norm->groups);
    float *dx = op->in[0]->needs_grad ? (float *)op->in[0]->grad + i * image_size(op) : dz;
    backward_input(dx, dz, m.x, scale, offset, weight, a, b, d_shift, m.pixels, m.channels,
                   op->in[0]->needs_grad && op->accumulate[0]);
    if (shifts) {
        float *target = (float *)op->in[1]->grad + i * m.channels;
        for (size_t c = 0; c < m.channels; c++)
            target[c] = op->accumulate[1] ? target[c] + d_shift[c] : d_shift[c];
    }
}

static bool group_norm_backward(Graph *graph, Op *op, Error *error)
{
    (void)error;
    const GroupNormOp *norm = (GroupNormOp *)op;
    size_t n = (size_t)op->in[0]->n, channels = (size_t)op->in[0]->c;
    size_t work = work_size(op, true);
    float *scratch = op->backward_scratch;
    float *sums = scratch + (size_t)norm->threads * work; /* [n, 2, channels] */
#pragma omp parallel for schedule(static) num_threads(norm->threads)
    for (size_t i = 0; i < n; i++)
        backward_image(graph, norm, i, sums + 2 * i * channels,
                       scratch + (size_t)omp_get_thread_num() * work);
    if (!graph->options.weight_gradients)
        return true;

    float *d_weight = op_gradients(graph, op->weight), *d_bias = op_gradients(graph, op->bias);
    for (size_t c = 0; c < channels; c++)
        d_weight[c] = d_bias[c] = 0.0f;
    for (size_t i = 0; i < n; i++) /* in this order at any number of threads */
        for (size_t c = 0; c < channels; c++) {
            d_bias[c] += sums[2 * i * channels + c];
            d_weight[c] += sums[(2 * i + 1) * channels + c];
        }
    return true;
}

static const OpKind group_norm_kind = {
    .name = "group normalisation",
    .prepare = group_norm_prepare,
    .forward = group_norm_forward,
    .backward = group_norm_backward,
};

Value *nn_group_norm(Graph *graph, Value *x, const char *name, Norm options)
{
    assert(options.groups > 0 && x->c % options.groups == 0);
    assert(!options.shift || options.shift->c == x->c);
    GroupNormOp *norm = memory_small(1, sizeof *norm);
    norm->groups = options.groups;
    norm->silu = options.silu;
    norm->dropout = options.dropout;
    norm->layer = (uint32_t)graph->op_count;
    norm->op = (Op){
        .in = {x, options.shift},
        .weight = graph_param(graph, name, "weight", 1, &x->c, PARAM_ONE, 0),
        .bias = graph_param(graph, name, "bias", 1, &x->c, PARAM_ZERO, 0),
        .passes_gradient = -1,
    };
    return graph_append(graph, &norm->op, &group_norm_kind, x->n, x->h, x->w, x->c);
}
