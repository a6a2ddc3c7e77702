/* Small graphs for tests/test_layers.c. Together they have every layer, alone and in company, where
 * several gradients meet. Each graph is built with lib/layers, and written once more in plain loops
 * (reference.h). */
#pragma once

#include "tests/network.h"
#include "tests/reference.h"

typedef struct Case Case;
typedef struct InputShape {
    int h, w, c;
} InputShape;

struct Case {
    const char *what;
    int batch;
    InputShape in[NETWORK_INPUTS];
    Value *(*build)(Graph *g, Value *const *in, const Case *c);
    Tensor (*loops)(Reference *r, const Tensor *in, const Case *c);
    int channels, kernel, stride, begin, end; /* of a convolution, as in Conv */
    int groups;
    double epsilon;
    bool silu;
    int heads;
};

static Conv conv_of(const Case *c, Value *residual)
{
    return (Conv){.kernel = c->kernel,
                  .stride = c->stride,
                  .pad_begin = c->begin,
                  .pad_end = c->end,
                  .residual = residual};
}

static Tensor conv_loops(Reference *r, Tensor x, const char *name, const Case *c)
{
    return reference_conv(r, x, name, c->channels, c->kernel, c->stride ? c->stride : 1, c->begin,
                          c->end);
}

/* Convolution. */

static Value *conv(Graph *g, Value *const *in, const Case *c)
{
    return nn_conv2d(g, in[0], "a", c->channels, conv_of(c, NULL));
}

static Tensor conv_l(Reference *r, const Tensor *in, const Case *c)
{
    return conv_loops(r, in[0], "a", c);
}

static Value *conv_residual(Graph *g, Value *const *in, const Case *c)
{
    return nn_conv2d(g, in[0], "a", c->channels, conv_of(c, in[1]));
}

static Tensor conv_residual_l(Reference *r, const Tensor *in, const Case *c)
{
    return reference_add(r, conv_loops(r, in[0], "a", c), in[1]);
}

/* A residual that is made of parameters: without input gradients it has a gradient and x has none. */
static Value *conv_made_residual(Graph *g, Value *const *in, const Case *c)
{
    Value *residual = nn_conv1x1(g, in[1], "b", c->channels, NULL);
    Value *y = nn_conv2d(g, in[0], "a", c->channels, conv_of(c, residual));
    return nn_conv1x1(g, in[0], "c", c->channels, y);
}

static Tensor conv_made_residual_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor residual = reference_linear(r, in[1], "b", c->channels);
    Tensor y = reference_add(r, conv_loops(r, in[0], "a", c), residual);
    return reference_add(r, reference_linear(r, in[0], "c", c->channels), y);
}

/* The residual is the convolution's own input. */
static Value *conv_self(Graph *g, Value *const *in, const Case *c)
{
    return nn_conv2d(g, in[0], "a", c->channels, conv_of(c, in[0]));
}

static Tensor conv_self_l(Reference *r, const Tensor *in, const Case *c)
{
    return reference_add(r, conv_loops(r, in[0], "a", c), in[0]);
}

/* A value read by two convolutions, as residual by one of them, and by a concatenation: four
 * gradients meet in it. */
static Value *conv_meeting(Graph *g, Value *const *in, const Case *c)
{
    Value *h = nn_conv2d(g, in[0], "a", c->channels, conv_of(c, NULL));
    Value *y = nn_conv2d(g, h, "b", c->channels, conv_of(c, h));
    Value *z = nn_conv2d(g, h, "c", c->channels, conv_of(c, y));
    return nn_concat(g, h, z);
}

static Tensor conv_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor h = conv_loops(r, in[0], "a", c);
    Tensor y = reference_add(r, conv_loops(r, h, "b", c), h);
    Tensor z = reference_add(r, conv_loops(r, h, "c", c), y);
    return reference_concat(r, h, z);
}

/* A residual stream, through which one gradient passes from block to block in one place; and read
 * once more at its end, so that there its gradient has been written before. */
static Value *conv_stream(Graph *g, Value *const *in, const Case *c)
{
    Value *a = nn_conv2d(g, in[0], "a", c->channels, conv_of(c, NULL));
    Value *b = nn_conv2d(g, nn_silu(g, a), "b", c->channels, conv_of(c, a));
    Value *d = nn_conv2d(g, nn_silu(g, b), "c", c->channels, conv_of(c, b));
    return nn_conv2d(g, d, "d", c->channels, conv_of(c, b));
}

static Tensor conv_stream_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor a = conv_loops(r, in[0], "a", c);
    Tensor b = reference_add(r, conv_loops(r, reference_silu(r, a), "b", c), a);
    Tensor d = reference_add(r, conv_loops(r, reference_silu(r, b), "c", c), b);
    return reference_add(r, conv_loops(r, d, "d", c), b);
}

/* Linear layers. */

static Value *linear(Graph *g, Value *const *in, const Case *c)
{
    return nn_linear(g, in[0], "a", c->channels);
}

static Tensor linear_l(Reference *r, const Tensor *in, const Case *c)
{
    return reference_linear(r, in[0], "a", c->channels);
}

static Value *linear_twice(Graph *g, Value *const *in, const Case *c)
{
    Value *a = nn_linear(g, in[0], "a", c->channels);
    return nn_concat(g, a, nn_linear(g, in[0], "b", c->channels));
}

static Tensor linear_twice_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor a = reference_linear(r, in[0], "a", c->channels);
    return reference_concat(r, a, reference_linear(r, in[0], "b", c->channels));
}

static Value *conv1x1(Graph *g, Value *const *in, const Case *c)
{
    return nn_conv1x1(g, in[0], "a", c->channels, NULL);
}

static Value *conv1x1_residual(Graph *g, Value *const *in, const Case *c)
{
    return nn_conv1x1(g, in[0], "a", c->channels, in[1]);
}

static Tensor conv1x1_residual_l(Reference *r, const Tensor *in, const Case *c)
{
    return reference_add(r, linear_l(r, in, c), in[1]);
}

/* Residuals again: the layer's own input, and then one that three others read. */
static Value *conv1x1_meeting(Graph *g, Value *const *in, const Case *c)
{
    Value *h = nn_conv1x1(g, in[0], "a", c->channels, in[0]);
    Value *y = nn_conv1x1(g, nn_silu(g, h), "b", c->channels, h);
    return nn_conv1x1(g, y, "c", c->channels, h);
}

static Tensor conv1x1_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    const int channels = c->channels;
    Tensor h = reference_add(r, reference_linear(r, in[0], "a", channels), in[0]);
    Tensor y = reference_linear(r, reference_silu(r, h), "b", channels);
    y = reference_add(r, y, h);
    return reference_add(r, reference_linear(r, y, "c", channels), h);
}

static Value *stack(Graph *g, Value *const *in, const Case *c)
{
    const char *const names[] = {"q", "k", "v"};
    return nn_conv1x1_stack(g, in[0], names, 3, c->channels);
}

static Tensor stack_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor q = reference_linear(r, in[0], "q", c->channels);
    Tensor k = reference_linear(r, in[0], "k", c->channels);
    Tensor v = reference_linear(r, in[0], "v", c->channels);
    return reference_concat(r, reference_concat(r, q, k), v);
}

/* Normalisation. */

static Value *norm(Graph *g, Value *const *in, const Case *c)
{
    return nn_group_norm(g, in[0], "a",
                         (Norm){.groups = c->groups, .epsilon = c->epsilon, .silu = c->silu});
}

static Tensor norm_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor y = reference_group_norm_eps(r, in[0], "a", c->groups, c->epsilon ? c->epsilon : 1e-6);
    return c->silu ? reference_silu(r, y) : y;
}

static Value *norm_shift(Graph *g, Value *const *in, const Case *c)
{
    return nn_group_norm(g, in[0], "a",
                         (Norm){.groups = c->groups, .silu = c->silu, .shift = in[1]});
}

static Tensor norm_shift_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor y = reference_shift(r, in[0], in[1]);
    y = reference_group_norm(r, y, "a", c->groups);
    return c->silu ? reference_silu(r, y) : y;
}

/* A shift that is made of parameters. In a graph without input gradients it has a gradient, and what
 * it shifts has none. */
static Value *norm_made_shift(Graph *g, Value *const *in, const Case *c)
{
    Value *shift = nn_linear(g, in[1], "b", c->in[0].c);
    return nn_group_norm(g, in[0], "a", (Norm){.groups = c->groups, .silu = true, .shift = shift});
}

static Tensor norm_made_shift_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor y = reference_shift(r, in[0], reference_linear(r, in[1], "b", c->in[0].c));
    return reference_silu(r, reference_group_norm(r, y, "a", c->groups));
}

static Value *norm_modulated(Graph *g, Value *const *in, const Case *c)
{
    return nn_group_norm(g, in[0], "a",
                         (Norm){.groups = c->groups, .silu = c->silu, .modulation = in[1]});
}

static Tensor norm_modulated_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor y = reference_modulate(r, reference_group_norm(r, in[0], "a", c->groups), in[1]);
    return c->silu ? reference_silu(r, y) : y;
}

/* A modulation that is made of parameters. */
static Value *norm_made_modulation(Graph *g, Value *const *in, const Case *c)
{
    Value *modulation = nn_linear(g, in[1], "b", 2 * c->in[0].c);
    return nn_group_norm(g, in[0], "a",
                         (Norm){.groups = c->groups, .silu = true, .modulation = modulation});
}

static Tensor norm_made_modulation_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor modulation = reference_linear(r, in[1], "b", 2 * c->in[0].c);
    Tensor y = reference_modulate(r, reference_group_norm(r, in[0], "a", c->groups), modulation);
    return reference_silu(r, y);
}

/* Two normalisations of one value, modulated by one other. */
static Value *norm_modulated_meeting(Graph *g, Value *const *in, const Case *c)
{
    Value *a = norm_modulated(g, in, c);
    return nn_concat(g, a, nn_group_norm(g, in[0], "b", (Norm){.groups = 2, .modulation = in[1]}));
}

static Tensor norm_modulated_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor a = norm_modulated_l(r, in, c);
    Tensor b = reference_modulate(r, reference_group_norm(r, in[0], "b", 2), in[1]);
    return reference_concat(r, a, b);
}

/* Two normalisations of one value, shifted by one other. */
static Value *norm_meeting(Graph *g, Value *const *in, const Case *c)
{
    Value *a = norm_shift(g, in, c);
    return nn_concat(g, a, nn_group_norm(g, in[0], "b", (Norm){.groups = 2, .shift = in[1]}));
}

static Tensor norm_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    Tensor a = norm_shift_l(r, in, c);
    Tensor b = reference_group_norm(r, reference_shift(r, in[0], in[1]), "b", 2);
    return reference_concat(r, a, b);
}

static Value *silu(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_silu(g, in[0]);
}

static Tensor silu_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_silu(r, in[0]);
}

static Value *silu_meeting(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_concat(g, nn_silu(g, in[0]), in[0]);
}

static Tensor silu_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_concat(r, reference_silu(r, in[0]), in[0]);
}

/* Attention and the moving of pixels. */

static Value *attention(Graph *g, Value *const *in, const Case *c)
{
    return nn_attention(g, in[0], c->heads ? c->heads : 1);
}

/* Head by head, each with its own channels of the queries, keys and values. */
static Tensor attention_l(Reference *r, const Tensor *in, const Case *c)
{
    const int heads = c->heads ? c->heads : 1, channels = in[0].c / 3, width = channels / heads;
    Tensor y = {0};
    for (int head = 0; head < heads; head++) {
        Tensor q = reference_channels(r, in[0], head * width, width);
        Tensor k = reference_channels(r, in[0], channels + head * width, width);
        Tensor v = reference_channels(r, in[0], 2 * channels + head * width, width);
        Tensor one = reference_attention(r, reference_concat(r, reference_concat(r, q, k), v));
        y = head == 0 ? one : reference_concat(r, y, one);
    }
    return y;
}

static Value *average_pool(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_average_pool(g, in[0]);
}

static Tensor average_pool_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_average_pool(r, in[0]);
}

static Value *average_pool_meeting(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_concat(g, nn_average_pool(g, in[0]), nn_average_pool(g, nn_silu(g, in[0])));
}

static Tensor average_pool_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    Tensor pooled = reference_average_pool(r, in[0]);
    return reference_concat(r, pooled, reference_average_pool(r, reference_silu(r, in[0])));
}

static Value *upsample(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_upsample(g, in[0]);
}

static Tensor upsample_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_upsample(r, in[0]);
}

static Value *upsample_meeting(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_concat(g, nn_upsample(g, in[0]), nn_upsample(g, in[0]));
}

static Tensor upsample_meeting_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_concat(r, reference_upsample(r, in[0]), reference_upsample(r, in[0]));
}

static Value *concat(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_concat(g, in[0], in[1]);
}

static Tensor concat_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_concat(r, in[0], in[1]);
}

static Value *concat_self(Graph *g, Value *const *in, const Case *c)
{
    (void)c;
    return nn_concat(g, in[0], nn_concat(g, in[0], in[0]));
}

static Tensor concat_self_l(Reference *r, const Tensor *in, const Case *c)
{
    (void)c;
    return reference_concat(r, in[0], reference_concat(r, in[0], in[0]));
}

#define OF(function) .build = function, .loops = function##_l
#define CONV3 .kernel = 3, .begin = 1, .end = 1
#define DOWN .kernel = 3, .stride = 2, .end = 1
#define DOWN_BOTH .kernel = 3, .stride = 2, .begin = 1, .end = 1

static const Case cases[] = {
    {"conv 1 to 12", 3, {{12, 12, 1}}, OF(conv), .channels = 12, CONV3},
    {"conv 2 to 12", 1, {{28, 28, 2}}, OF(conv), .channels = 12, CONV3},
    {"conv 12 to 1", 1, {{28, 28, 12}}, OF(conv), .channels = 1, CONV3},
    {"conv 12 to 2", 3, {{12, 12, 12}}, OF(conv), .channels = 2, CONV3},
    {"conv 12 to 24", 3, {{7, 7, 12}}, OF(conv), .channels = 24, CONV3},
    {"conv, not square", 3, {{7, 5, 12}}, OF(conv), .channels = 12, CONV3},
    {"conv 16 to 32", 1, {{8, 8, 16}}, OF(conv), .channels = 32, CONV3},
    {"conv 16 to 48, odd", 3, {{7, 5, 16}}, OF(conv), .channels = 48, CONV3},
    {"conv 48 to 16, down", 2, {{9, 7, 48}}, OF(conv), .channels = 16, DOWN},
    {"conv 40 to 24, down", 3, {{8, 8, 40}}, OF(conv), .channels = 24, DOWN},
    {"conv of one pixel", 3, {{1, 1, 3}}, OF(conv), .channels = 5, CONV3},
    {"conv down", 3, {{12, 12, 12}}, OF(conv), .channels = 12, DOWN},
    {"conv down 28", 1, {{28, 28, 12}}, OF(conv), .channels = 12, DOWN},
    {"conv down, odd", 3, {{7, 9, 12}}, OF(conv), .channels = 12, DOWN},
    {"conv down, padded on all sides", 3, {{12, 12, 12}}, OF(conv), .channels = 12, DOWN_BOTH},
    {"conv down 28, all sides", 1, {{28, 28, 16}}, OF(conv), .channels = 32, DOWN_BOTH},
    {"conv down of 2, all sides", 3, {{2, 2, 3}}, OF(conv), .channels = 5, DOWN_BOTH},
    {"conv, residual", 3, {{7, 7, 12}, {7, 7, 12}}, OF(conv_residual), .channels = 12, CONV3},
    {"conv, residual 1", 1, {{12, 12, 2}, {12, 12, 1}}, OF(conv_residual), .channels = 1, CONV3},
    {"conv, residual 16", 3, {{8, 8, 16}, {8, 8, 16}}, OF(conv_residual), .channels = 16, CONV3},
    {"made residual", 3, {{7, 7, 12}, {7, 7, 3}}, OF(conv_made_residual), .channels = 12, CONV3},
    {"conv, own residual", 3, {{7, 7, 12}}, OF(conv_self), .channels = 12, CONV3},
    {"convs meeting", 3, {{7, 7, 12}}, OF(conv_meeting), .channels = 12, CONV3},
    {"convs meeting, 1", 1, {{12, 12, 2}}, OF(conv_meeting), .channels = 1, CONV3},
    {"residual stream", 3, {{7, 7, 2}}, OF(conv_stream), .channels = 12, CONV3},
    {"linear of vectors", 3, {{1, 1, 12}}, OF(linear), .channels = 48},
    {"linear of one vector", 1, {{1, 1, 48}}, OF(linear), .channels = 7},
    {"linear of pixels", 3, {{7, 5, 12}}, OF(linear), .channels = 24},
    {"linear, many pixels", 3, {{28, 28, 3}}, OF(linear), .channels = 4},
    {"linear, twice", 3, {{1, 1, 12}}, OF(linear_twice), .channels = 7},
    {"conv1x1", 3, {{7, 7, 24}}, .build = conv1x1, .loops = linear_l, .channels = 12},
    {"conv1x1 of 1 to 1", 1, {{7, 7, 1}}, .build = conv1x1, .loops = linear_l, .channels = 1},
    {"conv1x1, residual", 3, {{7, 7, 24}, {7, 7, 12}}, OF(conv1x1_residual), .channels = 12},
    {"conv1x1, meeting", 3, {{7, 7, 12}}, OF(conv1x1_meeting), .channels = 12},
    {"conv1x1, meeting, 1", 1, {{6, 6, 1}}, OF(conv1x1_meeting), .channels = 1},
    {"stack", 3, {{7, 7, 12}}, OF(stack), .channels = 12},
    {"stack, 1 image", 1, {{6, 6, 24}}, OF(stack), .channels = 8},
    {"norm", 3, {{7, 7, 12}}, OF(norm), .groups = 6},
    {"norm, silu", 3, {{12, 12, 12}}, OF(norm), .groups = 4, .silu = true},
    {"norm, one group", 1, {{28, 28, 2}}, OF(norm), .groups = 1, .silu = true},
    {"norm, groups of one", 3, {{7, 5, 12}}, OF(norm), .groups = 12},
    {"norm of two pixels", 3, {{2, 1, 6}}, OF(norm), .groups = 1, .silu = true},
    {"norm, shift", 3, {{7, 7, 12}, {1, 1, 12}}, OF(norm_shift), .groups = 6},
    {"norm, shift, silu", 1, {{12, 12, 24}, {1, 1, 24}}, OF(norm_shift), .groups = 6, .silu = true},
    {"norm, made shift", 3, {{6, 6, 12}, {1, 1, 8}}, OF(norm_made_shift), .groups = 6},
    {"norms meeting", 3, {{6, 6, 12}, {1, 1, 12}}, OF(norm_meeting), .groups = 6, .silu = true},
    {"norm, epsilon", 3, {{7, 7, 12}}, OF(norm), .groups = 6, .epsilon = 0.5},
    {"norm, epsilon, silu", 1, {{6, 6, 8}}, OF(norm), .groups = 2, .epsilon = 0.1, .silu = true},
    {"norm, modulated", 3, {{7, 7, 12}, {1, 1, 24}}, OF(norm_modulated), .groups = 6},
    {"modulated, groups of one", 3, {{6, 6, 12}, {1, 1, 24}}, OF(norm_modulated), .groups = 12},
    {"modulated, silu", 1, {{8, 8, 24}, {1, 1, 48}}, OF(norm_modulated), .groups = 4, .silu = true},
    {"made modulation", 3, {{6, 6, 12}, {1, 1, 8}}, OF(norm_made_modulation), .groups = 6},
    {"modulated, meeting", 3, {{6, 6, 12}, {1, 1, 24}}, OF(norm_modulated_meeting), .groups = 6},
    {"silu", 3, {{7, 7, 12}}, OF(silu)},
    {"silu of many", 3, {{28, 28, 12}}, OF(silu)},
    {"silu, meeting", 1, {{7, 7, 2}}, OF(silu_meeting)},
    {"attention", 3, {{7, 7, 36}}, OF(attention)},
    {"attention, 1 image", 1, {{6, 6, 36}}, OF(attention)},
    {"attention of 1 channel", 3, {{3, 4, 3}}, OF(attention)},
    {"attention, 2 heads", 3, {{7, 7, 36}}, OF(attention), .heads = 2},
    {"attention, heads of 1 channel", 2, {{3, 4, 12}}, OF(attention), .heads = 4},
    {"attention, 3 heads, 1 image", 1, {{6, 6, 36}}, OF(attention), .heads = 3},
    {"average pool", 3, {{6, 10, 12}}, OF(average_pool)},
    {"average pool, 1 channel", 1, {{8, 8, 1}}, OF(average_pool)},
    {"average pool, meeting", 3, {{6, 6, 12}}, OF(average_pool_meeting)},
    {"upsample", 3, {{7, 5, 12}}, OF(upsample)},
    {"upsample, 1 channel", 1, {{6, 6, 1}}, OF(upsample)},
    {"upsample, meeting", 3, {{7, 7, 12}}, OF(upsample_meeting)},
    {"concat", 3, {{7, 7, 12}, {7, 7, 24}}, OF(concat)},
    {"concat of itself", 3, {{7, 5, 12}}, OF(concat_self)},
};
enum { CASES = sizeof cases / sizeof cases[0] };
