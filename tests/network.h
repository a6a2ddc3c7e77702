/* A graph under test with its input numbers, and its gradients measured by differences.
 *
 *     Network net;
 *     network_begin(&net, (GraphOptions){.batch = 3, .weight_gradients = true});
 *     Value *x = network_input(&net, 7, 5, 12);
 *     network_finish(&net, nn_linear(net.graph, x, "layer", 4));
 *     network_backward(&net);
 *     ... network_leaf(&net, i).gradient ...
 *     network_free(&net);
 *
 * Its loss is sum(cotangent * out), summed in double. The cotangent is the gradient that goes into
 * backward. A leaf is a parameter or an input: gradients are taken with respect to leaves.
 */
#pragma once

#include "base/memory.h"
#include "base/random.h"
#include "layers/layers.h"
#include "tests/expect.h"
#include "tests/suite.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NETWORK_INPUTS = 3 };

typedef struct Network {
    GraphOptions options;
    ParamSet params;
    Graph *graph;
    Value *input[NETWORK_INPUTS], *out;
    int inputs;
    uint32_t step;
    float *x[NETWORK_INPUTS], *dx[NETWORK_INPUTS]; /* of the inputs */
    float *weights, *gradients;                    /* layout: params */
    float *cotangent;                              /* of out */
} Network;

/* Independent N(0, 1) numbers, another set for each `stream`. */
static inline void fill_normal(float *values, size_t count, uint32_t stream)
{
    random_normal((RandomKey){.seed = 7, .purpose = RANDOM_NOISE, .sample = stream}, values, count);
}

static inline void network_begin(Network *net, GraphOptions options)
{
    *net = (Network){.options = options};
    net->graph = graph_new(&net->params, options);
}

static inline Value *network_input(Network *net, int height, int width, int channels)
{
    ck_assert_int_lt(net->inputs, NETWORK_INPUTS);
    Value *input = graph_input(net->graph, height, width, channels);
    net->input[net->inputs++] = input;
    return height * width > 1 ? nn_cast(net->graph, input, net->options.type) : input;
}

/* Random weights under which every layer keeps its signal near 1 and no parameter is at a value
 * that hides it: weights of variance 1 / fan_in, scales around 1, offsets around 0. */
static inline void network_randomise(const ParamSet *params, float *weights)
{
    for (int i = 0; i < params->count; i++) {
        const Param *param = &params->items[i];
        float *tensor = weights + param->offset;
        bool weight = param->init == PARAM_UNIFORM_FAN_IN && param->rank > 1;
        double spread = weight ? 1.0 / sqrt(param->fan_in) : 0.3;
        double centre = param->init == PARAM_ONE ? 1.0 : 0.0;
        fill_normal(tensor, param->count, 1000 + (uint32_t)i);
        for (size_t k = 0; k < param->count; k++)
            tensor[k] = (float)(centre + spread * tensor[k]);
    }
}

/* Compiles the graph with output `out`; weights, inputs and the cotangent become random. */
static inline void network_finish(Network *net, Value *out)
{
    Error error = {0};
    net->out = out = nn_cast(net->graph, out, DTYPE_F32);
    graph_keep(net->graph, out);
    if (net->options.weight_gradients || net->options.input_gradients)
        graph_seed(net->graph, out);
    must(graph_finish(net->graph, &error), &error);

    net->weights = memory_small(net->params.size + 1, sizeof(float));
    net->gradients = memory_small(net->params.size + 1, sizeof(float));
    net->cotangent = memory_small(value_count(out), sizeof(float));
    network_randomise(&net->params, net->weights);
    fill_normal(net->cotangent, value_count(out), 1);
    for (int k = 0; k < net->inputs; k++) {
        net->x[k] = memory_small(value_count(net->input[k]), sizeof(float));
        net->dx[k] = memory_small(value_count(net->input[k]), sizeof(float));
        fill_normal(net->x[k], value_count(net->input[k]), 2 + (uint32_t)k);
    }
}

static inline void network_free(Network *net)
{
    graph_free(net->graph);
    params_free(&net->params);
    for (int k = 0; k < net->inputs; k++) {
        memory_free(net->x[k]);
        memory_free(net->dx[k]);
    }
    memory_free(net->weights);
    memory_free(net->gradients);
    memory_free(net->cotangent);
}

/* Runs forward from the numbers as they are now; returns the output. */
static inline const float *network_forward(Network *net)
{
    Error error = {0};
    for (int k = 0; k < net->inputs; k++)
        memcpy(value_data(net->input[k]), net->x[k], value_count(net->input[k]) * sizeof(float));
    graph_load_weights(net->graph, net->weights);
    must(graph_forward(net->graph, net->step, &error), &error);
    return value_data(net->out);
}

/* Runs forward and backward. What backward does not write becomes NaN. */
static inline void network_backward(Network *net)
{
    Error error = {0};
    network_forward(net);
    memcpy(value_gradient(net->out), net->cotangent, value_count(net->out) * sizeof(float));
    for (size_t i = 0; i < net->params.size; i++)
        net->gradients[i] = NAN;
    must(graph_backward(net->graph, net->options.weight_gradients ? net->gradients : NULL, &error),
         &error);
    for (int k = 0; k < net->inputs && net->options.input_gradients; k++)
        if (value_gradient(net->input[k]))
            memcpy(net->dx[k], value_gradient(net->input[k]),
                   value_count(net->input[k]) * sizeof(float));
}

static inline double network_loss(Network *net)
{
    const float *out = network_forward(net);
    double loss = 0;
    for (size_t i = 0; i < value_count(net->out); i++)
        loss += (double)net->cotangent[i] * out[i];
    return loss;
}

typedef struct Leaf {
    char name[PARAM_NAME_SIZE];
    float *values;
    const float *gradient;
    size_t count;
} Leaf;

static inline int network_leaves(const Network *net)
{
    return (net->options.weight_gradients ? net->params.count : 0) +
           (net->options.input_gradients ? net->inputs : 0);
}

/* Inputs first, then parameters in their order. */
static inline Leaf network_leaf(const Network *net, int i)
{
    Leaf leaf;
    if (net->options.input_gradients) {
        if (i < net->inputs) {
            leaf = (Leaf){
                .values = net->x[i], .gradient = net->dx[i], .count = value_count(net->input[i])};
            snprintf(leaf.name, sizeof leaf.name, "input %d", i);
            return leaf;
        }
        i -= net->inputs;
    }
    const Param *param = &net->params.items[i];
    leaf = (Leaf){.values = net->weights + param->offset,
                  .gradient = net->gradients + param->offset,
                  .count = param->count};
    snprintf(leaf.name, sizeof leaf.name, "%s", param->name);
    return leaf;
}

/* A change of the loss, and what the gradient says it should be. `scale`: a relative error e of the
 * gradient makes |measured - predicted| about e * scale. */
typedef struct Difference {
    double measured, predicted, scale;
} Difference;

/* How far to go. The loss of a small U-Net is off by some 1e-5 from rounding, so it should change by
 * much more; but a difference is no derivative over a distance at which the loss is curved. Along
 * the gradient there is more to gain than to lose. */
static const double network_step = 0.03; /* no element goes farther; they are about 0.1 to 1 */
static const double network_change_along = 0.1;   /* of the loss */
static const double network_change_random = 0.03; /* of the loss, on average */

/* Half of the error in a gradient that must be found, 1 per cent. Differences agree with right
 * gradients to 2e-3, a sum of rounding (6e-4) and curvature, on every processor. */
static const double network_tolerance = 5e-3;

/* The loss at leaf + step u less the loss at leaf - step u. The prediction takes the two points as
 * they were rounded to float32, so that this rounding is no error. */
static inline Difference network_difference(Network *net, Leaf leaf, const float *u, double step)
{
    float *saved = memory_small(leaf.count, sizeof(float));
    memcpy(saved, leaf.values, leaf.count * sizeof(float));
    Difference d = {0};
    for (size_t i = 0; i < leaf.count; i++)
        leaf.values[i] = (float)(saved[i] + step * u[i]);
    d.measured = network_loss(net);
    for (size_t i = 0; i < leaf.count; i++) {
        float plus = leaf.values[i];
        leaf.values[i] = (float)(saved[i] - step * u[i]);
        d.predicted += (double)leaf.gradient[i] * ((double)plus - leaf.values[i]);
    }
    d.measured -= network_loss(net);
    memcpy(leaf.values, saved, leaf.count * sizeof(float));
    memory_free(saved);
    return d;
}

/* Largest difference of two arrays, relative to the largest element of the second. */
static inline double distance(const float *got, const float *want, size_t count)
{
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        worst = larger(worst, fabs((double)got[i] - want[i]));
        largest = larger(largest, fabs((double)want[i]));
    }
    return worst / largest;
}

static inline double norm_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sqrt(sum);
}

/* Along the gradient itself, where an error of its length shows in full. */
static inline Difference network_difference_along(Network *net, Leaf leaf)
{
    double length = norm_of(leaf.gradient, leaf.count), root = sqrt((double)leaf.count);
    double step = fmin(network_step, network_change_along / (2 * root * length));
    float *u = memory_small(leaf.count, sizeof *u); /* of size 1 in root mean square */
    for (size_t i = 0; i < leaf.count && length > 0; i++)
        u[i] = (float)(leaf.gradient[i] * root / length);
    Difference d = network_difference(net, leaf, u, step);
    d.scale = fabs(d.predicted);
    memory_free(u);
    return d;
}

/* Along a random direction, where an error shows that is orthogonal to the gradient. */
static inline Difference network_difference_random(Network *net, Leaf leaf, uint32_t stream)
{
    double length = norm_of(leaf.gradient, leaf.count);
    double step = fmin(network_step, network_change_random / (2 * length));
    float *u = memory_small(leaf.count, sizeof *u);
    fill_normal(u, leaf.count, stream);
    Difference d = network_difference(net, leaf, u, step);
    d.scale = 2 * step * length;
    memory_free(u);
    return d;
}

/* Of one element alone, against the largest. */
static inline Difference network_difference_at(Network *net, Leaf leaf, size_t i)
{
    float *u = memory_small(leaf.count, sizeof *u);
    u[i] = 1.0f;
    Difference d = network_difference(net, leaf, u, network_step);
    for (size_t k = 0; k < leaf.count; k++)
        d.scale = larger(d.scale, 2 * network_step * fabs((double)leaf.gradient[k]));
    memory_free(u);
    return d;
}

/* The error that the difference finds in the gradient, were it `factor` times what it is. NaN if
 * the gradient has a NaN. */
static inline double difference_error(Difference d, double factor)
{
    return fabs(d.measured - factor * d.predicted) / d.scale;
}

/* Compares a leaf's gradient with differences, and with them the same gradient made 1 per cent too
 * long, which must not pass: a check that could not fail would be worth nothing. */
static inline void network_check_leaf(Network *net, Leaf leaf, int directions, const char *what)
{
    Difference along = network_difference_along(net, leaf);
    double error = difference_error(along, 1.0), wrong = difference_error(along, 1.01);
    ck_assert_msg(error < network_tolerance, "%s: gradient of %s: off by %.2g of its length", what,
                  leaf.name, error);
    ck_assert_msg(wrong > network_tolerance, "%s: %s: an error of 0.01 looks like one of %.2g",
                  what, leaf.name, wrong);
    for (int i = 0; i < directions; i++) {
        error = difference_error(network_difference_random(net, leaf, 5000 + (uint32_t)i), 1.0);
        ck_assert_msg(error < network_tolerance, "%s: gradient of %s: off by %.2g in direction %d",
                      what, leaf.name, error, i);
    }
}
