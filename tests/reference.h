/* The layers once more, in double and in plain loops: tests of lib/layers compare with these.
 *
 * Each function is written from the definition of its layer and shares no code with lib/layers. It
 * is plain and slow. Tensors are [n, h, w, c] like the graph's values. They belong to a Reference,
 * which releases them all at once, and which knows the parameters by their names.
 */
#pragma once

#include "base/memory.h"
#include "engine/params.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

enum { REFERENCE_TENSORS = 64, REFERENCE_INPUTS = 3 };

typedef struct Tensor {
    int n, h, w, c;
    double *at;
} Tensor;

typedef struct Reference {
    const ParamSet *params;
    const double *weights; /* layout: params */
    Tensor input[REFERENCE_INPUTS];
    double *memory[REFERENCE_TENSORS];
    int count;
} Reference;

static inline void reference_free(Reference *r)
{
    while (r->count > 0)
        memory_free(r->memory[--r->count]);
}

static inline size_t tensor_size(Tensor t)
{
    return (size_t)t.n * (size_t)t.h * (size_t)t.w * (size_t)t.c;
}

static inline double *tensor_at(Tensor t, int n, int h, int w, int c)
{
    return t.at + (((size_t)n * (size_t)t.h + (size_t)h) * (size_t)t.w + (size_t)w) * (size_t)t.c +
           c;
}

/* A tensor of zeros. */
static inline Tensor tensor_new(Reference *r, int n, int h, int w, int c)
{
    Tensor t = {n, h, w, c, NULL};
    t.at = memory_small(tensor_size(t), sizeof(double));
    ck_assert_int_lt(r->count, REFERENCE_TENSORS);
    r->memory[r->count++] = t.at;
    return t;
}

static inline const double *reference_param(const Reference *r, const char *name,
                                            const char *suffix)
{
    char full[PARAM_NAME_SIZE];
    snprintf(full, sizeof full, "%s.%s", name, suffix);
    int index = params_find(r->params, full);
    ck_assert_msg(index >= 0, "no parameter %s", full);
    return r->weights + r->params->items[index].offset;
}

static inline Tensor reference_add(Reference *r, Tensor a, Tensor b)
{
    Tensor y = tensor_new(r, a.n, a.h, a.w, a.c);
    for (size_t i = 0; i < tensor_size(y); i++)
        y.at[i] = a.at[i] + b.at[i];
    return y;
}

/* Cross-correlation, as "convolution" means in networks, with zeros around the image. */
static inline Tensor reference_conv(Reference *r, Tensor x, const char *name, int channels,
                                    int kernel, int stride, int pad_begin, int pad_end)
{
    const double *weight = reference_param(r, name, "weight");
    const double *bias = reference_param(r, name, "bias");
    Tensor y = tensor_new(r, x.n, (x.h + pad_begin + pad_end - kernel) / stride + 1,
                          (x.w + pad_begin + pad_end - kernel) / stride + 1, channels);
    for (int n = 0; n < y.n; n++)
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++)
                for (int o = 0; o < channels; o++) {
                    double sum = bias[o];
                    for (int kh = 0; kh < kernel; kh++)
                        for (int kw = 0; kw < kernel; kw++) {
                            int row = h * stride + kh - pad_begin;
                            int column = w * stride + kw - pad_begin;
                            if (row < 0 || row >= x.h || column < 0 || column >= x.w)
                                continue;
                            for (int i = 0; i < x.c; i++)
                                sum += *tensor_at(x, n, row, column, i) *
                                       weight[((o * x.c + i) * kernel + kh) * kernel + kw];
                        }
                    *tensor_at(y, n, h, w, o) = sum;
                }
    return y;
}

/* Over the channels of each pixel: a 1x1 convolution too. */
static inline Tensor reference_linear(Reference *r, Tensor x, const char *name, int channels)
{
    return reference_conv(r, x, name, channels, 1, 1, 0, 0);
}

static inline double reference_sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static inline Tensor reference_silu(Reference *r, Tensor x)
{
    Tensor y = tensor_new(r, x.n, x.h, x.w, x.c);
    for (size_t i = 0; i < tensor_size(x); i++)
        y.at[i] = x.at[i] * reference_sigmoid(x.at[i]);
    return y;
}

/* x [n, h, w, c] + shift [n, 1, 1, c] */
static inline Tensor reference_shift(Reference *r, Tensor x, Tensor shift)
{
    Tensor y = tensor_new(r, x.n, x.h, x.w, x.c);
    for (int n = 0; n < x.n; n++)
        for (int h = 0; h < x.h; h++)
            for (int w = 0; w < x.w; w++)
                for (int c = 0; c < x.c; c++)
                    *tensor_at(y, n, h, w, c) =
                        *tensor_at(x, n, h, w, c) + *tensor_at(shift, n, 0, 0, c);
    return y;
}

/* Group normalisation with the biased variance, scaled and offset. */
static inline Tensor reference_group_norm_eps(Reference *r, Tensor x, const char *name, int groups,
                                              double epsilon)
{
    const double *weight = reference_param(r, name, "weight");
    const double *bias = reference_param(r, name, "bias");
    const int width = x.c / groups;
    const double count = (double)x.h * x.w * width;
    Tensor y = tensor_new(r, x.n, x.h, x.w, x.c);
    for (int n = 0; n < x.n; n++)
        for (int g = 0; g < groups; g++) {
            double mean = 0, variance = 0;
            for (int h = 0; h < x.h; h++)
                for (int w = 0; w < x.w; w++)
                    for (int c = g * width; c < (g + 1) * width; c++)
                        mean += *tensor_at(x, n, h, w, c) / count;
            for (int h = 0; h < x.h; h++)
                for (int w = 0; w < x.w; w++)
                    for (int c = g * width; c < (g + 1) * width; c++)
                        variance += pow(*tensor_at(x, n, h, w, c) - mean, 2) / count;
            for (int h = 0; h < x.h; h++)
                for (int w = 0; w < x.w; w++)
                    for (int c = g * width; c < (g + 1) * width; c++)
                        *tensor_at(y, n, h, w, c) = (*tensor_at(x, n, h, w, c) - mean) /
                                                        sqrt(variance + epsilon) * weight[c] +
                                                    bias[c];
        }
    return y;
}

static inline Tensor reference_group_norm(Reference *r, Tensor x, const char *name, int groups)
{
    return reference_group_norm_eps(r, x, name, groups, 1e-6);
}

/* x (1 + scale) + shift; `modulation` [n, 1, 1, 2c] has the scale, then the shift. */
static inline Tensor reference_modulate(Reference *r, Tensor x, Tensor modulation)
{
    Tensor y = tensor_new(r, x.n, x.h, x.w, x.c);
    for (int n = 0; n < x.n; n++)
        for (int h = 0; h < x.h; h++)
            for (int w = 0; w < x.w; w++)
                for (int c = 0; c < x.c; c++)
                    *tensor_at(y, n, h, w, c) =
                        *tensor_at(x, n, h, w, c) * (1 + *tensor_at(modulation, n, 0, 0, c)) +
                        *tensor_at(modulation, n, 0, 0, x.c + c);
    return y;
}

/* The channels first .. first + count - 1. */
static inline Tensor reference_channels(Reference *r, Tensor x, int first, int count)
{
    Tensor y = tensor_new(r, x.n, x.h, x.w, count);
    for (int n = 0; n < y.n; n++)
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++)
                for (int c = 0; c < count; c++)
                    *tensor_at(y, n, h, w, c) = *tensor_at(x, n, h, w, first + c);
    return y;
}

/* softmax(q k' / sqrt(c)) v over the pixels of an image; q, k and v are the thirds of x's channels. */
static inline Tensor reference_attention(Reference *r, Tensor x)
{
    const int channels = x.c / 3, pixels = x.h * x.w;
    Tensor y = tensor_new(r, x.n, x.h, x.w, channels);
    Tensor score = tensor_new(r, 1, 1, 1, pixels);
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < pixels; i++) {
            const double *query = tensor_at(x, n, 0, i, 0);
            double largest = -INFINITY, sum = 0;
            for (int j = 0; j < pixels; j++) {
                const double *key = tensor_at(x, n, 0, j, channels);
                score.at[j] = 0;
                for (int c = 0; c < channels; c++)
                    score.at[j] += query[c] * key[c] / sqrt(channels);
                largest = fmax(largest, score.at[j]);
            }
            for (int j = 0; j < pixels; j++)
                sum += score.at[j] = exp(score.at[j] - largest);
            for (int j = 0; j < pixels; j++)
                for (int c = 0; c < channels; c++)
                    *tensor_at(y, n, 0, i, c) +=
                        score.at[j] / sum * *tensor_at(x, n, 0, j, 2 * channels + c);
        }
    return y;
}

static inline Tensor reference_average_pool(Reference *r, Tensor x)
{
    Tensor y = tensor_new(r, x.n, x.h / 2, x.w / 2, x.c);
    for (int n = 0; n < x.n; n++)
        for (int h = 0; h < x.h; h++)
            for (int w = 0; w < x.w; w++)
                for (int c = 0; c < x.c; c++)
                    *tensor_at(y, n, h / 2, w / 2, c) += *tensor_at(x, n, h, w, c) / 4;
    return y;
}

static inline Tensor reference_upsample(Reference *r, Tensor x)
{
    Tensor y = tensor_new(r, x.n, 2 * x.h, 2 * x.w, x.c);
    for (int n = 0; n < y.n; n++)
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++)
                for (int c = 0; c < y.c; c++)
                    *tensor_at(y, n, h, w, c) = *tensor_at(x, n, h / 2, w / 2, c);
    return y;
}

static inline Tensor reference_concat(Reference *r, Tensor a, Tensor b)
{
    Tensor y = tensor_new(r, a.n, a.h, a.w, a.c + b.c);
    for (int n = 0; n < y.n; n++)
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++)
                for (int c = 0; c < y.c; c++)
                    *tensor_at(y, n, h, w, c) =
                        c < a.c ? *tensor_at(a, n, h, w, c) : *tensor_at(b, n, h, w, c - a.c);
    return y;
}
