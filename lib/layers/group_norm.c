/* Group normalisation and all that surrounds it in the U-Net, in one pass over memory:
 *
 *     u = x + shift                      shift: the time embedding, a number per image and channel
 *     xhat = (u - mean) * rstd           over the pixels and channels of a group
 *     z = weight * xhat + bias
 *     y = silu(z) * mask / keep
 *
 * With a modulation, the time embedding comes after the norm: z = m (w xhat + b) + s, where m - 1
 * and s are numbers per image and channel. So an image has a weight and a bias of its own, m w and
 * m b + s, and the rest is the same.
 *
 * An image is a matrix [pixels, channels] small enough for a core's cache; each thread takes whole
 * images, reads one from memory once and writes its result once. Only mean, rstd and a bit per
 * element for dropout are stored: backward recomputes xhat and z from x. A convolution after it may
 * ask for y again (remake), a few rows at a time, so that y need not be kept. The bits are the same.
 *
 *     dz = dy * mask / keep * silu'(z),  d weight = sum dz xhat,  d bias = sum dz
 *     du = rstd * (weight dz - mean_g(weight dz) - xhat mean_g(weight dz xhat))
 *     dx = du,  d shift = sum of du over the pixels
 *
 * With a modulation, the first line gives D w' and D b', the gradients of an image's own weight and
 * bias:
 *
 *     d w = sum over the images of m D w',  d b = sum of m D b',  d m = w D w' + b D b',  d s = D b'
 */
#include "engine/op.h"
#include "layers/layers.h"

#include "base/memory.h"
#include "engine/elementwise.h"
#include "engine/profile.h"
#include "layers/dropout.h"
#include "layers/group_norm_kernels.h"

#include <assert.h>
#include <math.h>
#include <omp.h>

typedef struct GroupNormOp {
    /* in[0]: x, in[1]: shift or modulation. */
    Op op;
    int groups;
    double epsilon;
    /* Whether in[1] is a modulation. */
    bool modulated;
    bool silu;
    double dropout;
    /* The place of its weight, which tells its dropout masks from those of other layers. */
    uint32_t layer;
    /* The threads that the working memory is planned for. */
    int threads;
    const NormKernels *kernels;
} GroupNormOp;

/* mean and rstd [groups] of u = x + shift, from the sums per channel (Chan et al. 1983). */
static void group_statistics(float *mean, float *rstd, const float *sum, const float *square,
                             const float *first_pixel, const float *shift, double epsilon,
                             size_t pixels, size_t channels, int groups)
{
    size_t width = channels / (size_t)groups;
    for (int g = 0; g < groups; g++) {
        size_t first = (size_t)g * width;
        double total = 0.0, spread = 0.0, centre;
        for (size_t c = first; c < first + width; c++)
            total += first_pixel[c] + (shift ? (double)shift[c] : 0.0) + sum[c] / (double)pixels;
        centre = total / (double)width;
        for (size_t c = first; c < first + width; c++) {
            double away = sum[c] / (double)pixels;
            double channel_mean = first_pixel[c] + (shift ? (double)shift[c] : 0.0) + away;
            spread += square[c] / (double)pixels - away * away +
                      (channel_mean - centre) * (channel_mean - centre);
        }
        double variance = spread / (double)width;
        mean[g] = (float)centre;
        rstd[g] = (float)(1.0 / sqrt((variance < 0.0 ? 0.0 : variance) + epsilon));
    }
}

/* A NaN with zeros in its lower half, as the kernels want it. */
static float plain_nan(float value)
{
    return isnan(value) ? NAN : value;
}

/* The normalisation of each channel as xhat = scale x + offset. */
static void channel_affine(float *scale, float *offset, const float *mean, const float *rstd,
                           const float *shift, size_t channels, int groups)
{
    size_t width = channels / (size_t)groups;
    for (size_t c = 0; c < channels; c++) {
        size_t g = c / width;
        scale[c] = plain_nan(rstd[g]);
        offset[c] = plain_nan(((shift ? shift[c] : 0.0f) - mean[g]) * rstd[g]);
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

static bool shifts(const GroupNormOp *norm)
{
    return norm->op.in[1] && !norm->modulated && norm->op.in[1]->needs_grad;
}

/* Gradients that only the shift needs still pass through those of x. */
static bool needs_sink(const GroupNormOp *norm)
{
    return !norm->op.in[0]->needs_grad && shifts(norm);
}

/* A thread's working memory, in floats: vectors per channel, then, in backward, an image of dz, and
 * one of dx if dx has no other place. The last two vectors are an image's weight and bias. */
enum { WORK_VECTORS = 7 };

static size_t work_size(const GroupNormOp *norm, bool backward)
{
    const Op *op = &norm->op;
    return WORK_VECTORS * floats((size_t)op->in[0]->c) +
           (backward ? (needs_sink(norm) ? 2 : 1) * floats(image_size(op)) : 0);
}

/* A thread's working memory in remake: four vectors per channel. */
static size_t remake_size(const Op *op)
{
    return 4 * floats((size_t)op->in[0]->c);
}

/* Saved for the images: statistics, then dropout's bits. The working memory of remake follows. */
static size_t statistics_bytes(const GroupNormOp *norm)
{
    return memory_aligned(2 * (size_t)norm->op.in[0]->n * (size_t)norm->groups * sizeof(float));
}

static bool group_norm_prepare(Graph *graph, Op *op, Error *error)
{
    (void)error;
    GroupNormOp *norm = (GroupNormOp *)op;
    norm->threads = omp_get_max_threads();
    size_t n = (size_t)op->in[0]->n, threads = (size_t)norm->threads;
    op->saved_bytes = statistics_bytes(norm);
    if (drops(graph, norm))
        op->saved_bytes += n * dropout_bytes(image_size(op));
    op->remakes = op->backward && op->in[0]->type == DTYPE_F32 && op->in[0]->c % 8 == 0;
    if (op->remakes)
        op->saved_bytes += threads * remake_size(op) * sizeof(float);
    op->forward_scratch_bytes = threads * work_size(norm, false) * sizeof(float);
    op->reads_input[0] = op->reads_input[1] = true;
    op->backward_scratch_bytes =
        (threads * work_size(norm, true) + 2 * n * (size_t)op->in[0]->c) * sizeof(float);
    return true;
}

/* What both passes know of one image. */
typedef struct Image {
    NormImage at;
    /* NULL where there is none. A modulation is m - 1 of all channels, then s. */
    const float *shift, *modulation;
    float *mean, *rstd;
} Image;

static Image image_of(const GroupNormOp *norm, size_t i)
{
    const Op *op = &norm->op;
    size_t channels = (size_t)op->in[0]->c, groups = (size_t)norm->groups;
    float *saved = op->saved;
    return (Image){
        .at = {.type = op->in[0]->type,
               .x = dtype_at(op->in[0]->data, op->in[0]->type, i * image_size(op)),
               .pixels = image_size(op) / channels,
               .channels = channels},
        .shift =
            op->in[1] && !norm->modulated ? (const float *)op->in[1]->data + i * channels : NULL,
        .modulation =
            op->in[1] && norm->modulated ? (const float *)op->in[1]->data + 2 * i * channels : NULL,
        .mean = saved + 2 * i * groups,
        .rstd = saved + (2 * i + 1) * groups,
    };
}

static uint8_t *bits_of(const GroupNormOp *norm, size_t i)
{
    return (uint8_t *)norm->op.saved + statistics_bytes(norm) +
           i * dropout_bytes(image_size(&norm->op));
}

/* The working memory of remake for the thread that calls it. */
static float *remake_work(const Graph *graph, const GroupNormOp *norm)
{
    const size_t n = drops(graph, norm) ? (size_t)norm->op.in[0]->n : 0;
    return (float *)(void *)bits_of(norm, n) +
           (size_t)omp_get_thread_num() * remake_size(&norm->op);
}

/* The dropout of image i: forward draws it, and backward finds it. */
static NormDropout dropout_of(const Graph *graph, const GroupNormOp *norm, size_t i, bool draw)
{
    if (!drops(graph, norm))
        return (NormDropout){0};
    const DropoutMask mask = dropout_mask(graph->options.seed, norm->layer, graph->step,
                                          graph->options.first + (uint32_t)i, norm->dropout);
    if (draw)
        dropout_bits(mask, bits_of(norm, i), image_size(&norm->op));
    return (NormDropout){bits_of(norm, i), mask.scale};
}

/* The weight and the bias of an image: those of the layer, or its own. */
static void image_affine(const Graph *graph, const GroupNormOp *norm, const Image *image,
                         float *weight, float *bias)
{
    const size_t channels = image->at.channels;
    const float *weights = op_weights(graph, norm->op.weight);
    const float *biases = op_weights(graph, norm->op.bias);
    for (size_t c = 0; c < channels; c++) {
        const float m = image->modulation ? 1.0f + image->modulation[c] : 1.0f;
        const float shift = image->modulation ? image->modulation[channels + c] : 0.0f;
        weight[c] = plain_nan(m * weights[c]);
        bias[c] = plain_nan(m * biases[c] + shift);
    }
}

/* z = scale x + offset of an image. work: two vectors. */
static void output_affine(const Graph *graph, const GroupNormOp *norm, const Image *image,
                          float *scale, float *offset, float *work)
{
    const size_t channels = image->at.channels;
    float *weight = work, *bias = work + floats(channels);
    channel_affine(scale, offset, image->mean, image->rstd, image->shift, channels, norm->groups);
    image_affine(graph, norm, image, weight, bias);
    for (size_t c = 0; c < channels; c++) {
        scale[c] = plain_nan(scale[c] * weight[c]);
        offset[c] = plain_nan(offset[c] * weight[c] + bias[c]);
    }
}

static void forward_image(const Graph *graph, const GroupNormOp *norm, size_t i, float *work)
{
    const Op *op = &norm->op;
    const Image m = image_of(norm, i);
    const size_t channels = m.at.channels, line = floats(channels);
    float *sum = work, *square = work + line, *first = work + 2 * line;
    float *scale = work + 3 * line, *offset = work + 4 * line;
    norm->kernels->sums(&m.at, first, sum, square);
    group_statistics(m.mean, m.rstd, sum, square, first, m.shift, norm->epsilon, m.at.pixels,
                     channels, norm->groups);
    output_affine(graph, norm, &m, scale, offset, work + 5 * line);
    norm->kernels->normalise(&m.at, norm->silu, scale, offset, dropout_of(graph, norm, i, true),
                             dtype_at(op->out->data, m.at.type, i * image_size(op)));
}

static bool group_norm_forward(Graph *graph, Op *op, Error *error)
{
    (void)error;
    const GroupNormOp *norm = (GroupNormOp *)op;
    float *scratch = op->forward_scratch;
    size_t n = (size_t)op->in[0]->n, work = work_size(norm, false);
#pragma omp parallel for schedule(static) num_threads(norm->threads)
    for (size_t i = 0; i < n; i++)
        forward_image(graph, norm, i, scratch + (size_t)omp_get_thread_num() * work);
    profile_sigmoids(norm->silu ? (double)(n * image_size(op)) : 0.0);
    return true;
}

/* Pixels first .. last - 1 of an image. A pixel's bits of dropout begin with a byte. */
static void remake_pixels(const Graph *graph, const GroupNormOp *norm, size_t image, size_t first,
                          size_t last, float *y)
{
    Image m = image_of(norm, image);
    const size_t line = floats(m.at.channels), before = first * m.at.channels;
    float *scale = remake_work(graph, norm), *offset = scale + line;
    NormDropout dropout = dropout_of(graph, norm, image, false);
    output_affine(graph, norm, &m, scale, offset, offset + line);
    m.at.x = dtype_at(m.at.x, m.at.type, before);
    m.at.pixels = last - first;
    if (dropout.bits)
        dropout.bits += before / 8;
    norm->kernels->normalise(&m.at, norm->silu, scale, offset, dropout, y);
}

static void group_norm_remake(const Graph *graph, const Op *op, int first, int last, float *to)
{
    const Value *x = op->in[0];
    for (int row = first; row < last;) {
        const int image = row / x->h, begin = image * x->h;
        const int end = last < begin + x->h ? last : begin + x->h;
        remake_pixels(graph, (const GroupNormOp *)op, (size_t)image,
                      (size_t)(row - begin) * (size_t)x->w, (size_t)(end - begin) * (size_t)x->w,
                      to + (size_t)(row - first) * (size_t)x->w * (size_t)x->c);
        row = end;
    }
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
            a[c] = plain_nan((float)(mean / (double)(pixels * width)));
            b[c] = plain_nan((float)(mean_xhat / (double)(pixels * width)));
        }
    }
}

/* The gradient of image i's modulation [2, channels], and the sums of the layer's own weight and bias
 * in place of those of the image. */
static void backward_modulation(const Graph *graph, const GroupNormOp *norm, size_t i,
                                const float *modulation, float *sum, float *sum_xhat)
{
    const Op *op = &norm->op;
    const size_t channels = (size_t)op->in[0]->c;
    const float *weight = op_weights(graph, op->weight), *bias = op_weights(graph, op->bias);
    float *target = op->in[1]->needs_grad ? (float *)op->in[1]->grad + 2 * i * channels : NULL;
    for (size_t c = 0; c < channels; c++) {
        const float m = 1.0f + modulation[c];
        if (target) {
            const float d_scale = weight[c] * sum_xhat[c] + bias[c] * sum[c], d_offset = sum[c];
            const bool add = op->accumulate[1];
            target[c] = add ? target[c] + d_scale : d_scale;
            target[channels + c] = add ? target[channels + c] + d_offset : d_offset;
        }
        sum[c] *= m;
        sum_xhat[c] *= m;
    }
}

/* Backward of image i; leaves the image's share of d bias and d weight in sums [2, channels]. */
static void backward_image(const Graph *graph, const GroupNormOp *norm, size_t i, float *sums,
                           float *work)
{
    const Op *op = &norm->op;
    const Image m = image_of(norm, i);
    const DType type = m.at.type;
    const size_t channels = m.at.channels, line = floats(channels), at = i * image_size(op);
    float *scale = work, *offset = work + line, *a = work + 2 * line, *b = work + 3 * line;
    float *d_shift = work + 4 * line, *weight = work + 5 * line, *bias = work + 6 * line;
    float *dz = work + WORK_VECTORS * line, *sum = sums, *sum_xhat = sums + channels;
    const NormAffine affine = {scale, offset, weight, bias};

    channel_affine(scale, offset, m.mean, m.rstd, m.shift, channels, norm->groups);
    image_affine(graph, norm, &m, weight, bias);
    norm->kernels->backward_sums(&m.at, norm->silu, affine, dropout_of(graph, norm, i, false),
                                 dtype_at(op->out->grad, type, at), dz, sum, sum_xhat);
    group_means(a, b, sum, sum_xhat, weight, m.at.pixels, channels, norm->groups);
    if (m.modulation)
        backward_modulation(graph, norm, i, m.modulation, sum, sum_xhat);
    if (!op->in[0]->needs_grad && !shifts(norm))
        return;
    void *dx = needs_sink(norm) ? (void *)(dz + floats(image_size(op)))
                                : dtype_at(op->in[0]->grad, type, at);
    norm->kernels->backward_input(&m.at, op->accumulate[0], affine, a, b, dz, dx, d_shift);
    if (shifts(norm)) {
        float *target = (float *)op->in[1]->grad + i * channels;
        for (size_t c = 0; c < channels; c++)
            target[c] = op->accumulate[1] ? target[c] + d_shift[c] : d_shift[c];
    }
}

static bool group_norm_backward(Graph *graph, Op *op, Error *error)
{
    (void)error;
    const GroupNormOp *norm = (GroupNormOp *)op;
    size_t n = (size_t)op->in[0]->n, channels = (size_t)op->in[0]->c;
    size_t work = work_size(norm, true);
    float *scratch = op->backward_scratch;
    float *sums = scratch + (size_t)norm->threads * work; /* [n, 2, channels] */
#pragma omp parallel for schedule(static) num_threads(norm->threads)
    for (size_t i = 0; i < n; i++)
        backward_image(graph, norm, i, sums + 2 * i * channels,
                       scratch + (size_t)omp_get_thread_num() * work);
    profile_sigmoids(norm->silu ? (double)(n * image_size(op)) : 0.0);
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
    .remake = group_norm_remake,
};

Value *nn_group_norm(Graph *graph, Value *x, const char *name, Norm options)
{
    assert(options.groups > 0 && x->c % options.groups == 0);
    assert(!options.shift || (options.shift->c == x->c && options.shift->type == DTYPE_F32));
    assert(!options.modulation ||
           (options.modulation->c == 2 * x->c && options.modulation->type == DTYPE_F32));
    assert(!options.shift || !options.modulation);
    GroupNormOp *norm = memory_small(1, sizeof *norm);
    norm->kernels = group_norm_kernels();
    norm->groups = options.groups;
    norm->epsilon = options.epsilon > 0 ? options.epsilon : 1e-6;
    norm->modulated = options.modulation != NULL;
    norm->silu = options.silu;
    norm->dropout = options.dropout;
    norm->op = (Op){
        .in = {x, options.modulation ? options.modulation : options.shift},
        .weight = graph_param(graph, name, "weight", 1, &x->c, PARAM_ONE, 0),
        .bias = graph_param(graph, name, "bias", 1, &x->c, PARAM_ZERO, 0),
        .passes_gradient = -1,
    };
    norm->layer = (uint32_t)norm->op.weight;
    return graph_append(graph, &norm->op, &group_norm_kind,
                        (Shape){x->n, x->h, x->w, x->c, x->type});
}
