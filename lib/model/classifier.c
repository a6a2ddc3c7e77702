/* Builds the classifier, and computes its loss and its hits.
 *
 * The loss is computed in double, from logits whose largest is subtracted first, so that no
 * exponential overflows.
 */
#include "model/classifier.h"

#include "layers/layers.h"

#include <math.h>
#include <stdio.h>

enum { GROUPS = 4, LAST_SIDE = 4, WIDENING = 4 };

static Value *norm_silu(Graph *g, Value *x, const char *name)
{
    return nn_group_norm(g, x, name, (Norm){.groups = GROUPS, .silu = true});
}

/* GroupNorm, SiLU, conv3x3 to as many channels, + residual. Its parameters are those of norm<name> and
 * conv<name>. */
static Value *layer(Graph *g, Value *x, const char *name, Value *residual)
{
    char full[PARAM_NAME_SIZE];
    snprintf(full, sizeof full, "norm%s", name);
    Value *h = norm_silu(g, x, full);
    snprintf(full, sizeof full, "conv%s", name);
    return nn_conv2d(g, h, full, value_channels(x),
                     (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1, .residual = residual});
}

static Value *residual_block(Graph *g, Value *x, int level, int block)
{
    char name[PARAM_NAME_SIZE];
    snprintf(name, sizeof name, "1.%d.%d", level, block);
    Value *h = layer(g, x, name, NULL);
    name[0] = '2';
    return layer(g, h, name, x);
}

Classifier classifier_build(Graph *g, const ClassifierShape *shape)
{
    const int side = shape->resolution;
    Classifier net = {.images = graph_input(g, side, side, shape->channels)};
    int width = shape->width, level = 0;
    char name[PARAM_NAME_SIZE];
    Value *h = nn_conv2d(g, net.images, "conv_in", width,
                         (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
    for (; value_height(h) > LAST_SIDE; level++) {
        for (int block = 0; block < shape->blocks; block++)
            h = residual_block(g, h, level, block);
        snprintf(name, sizeof name, "norm.%d", level);
        h = norm_silu(g, h, name);
        width = 2 * width < WIDENING * shape->width ? 2 * width : WIDENING * shape->width;
        snprintf(name, sizeof name, "conv.%d", level);
        h = nn_conv2d(g, h, name, width,
                      (Conv){.kernel = 3, .stride = 2, .pad_begin = 1, .pad_end = 1});
    }
    h = norm_silu(g, h, "norm_out");
    h = nn_conv2d(g, h, "features", CLASSIFIER_FEATURES,
                  (Conv){.kernel = value_height(h), .float32 = true});
    net.features = nn_group_norm(g, h, "norm_features", (Norm){.groups = 1, .silu = true});
    net.logits = nn_linear(g, net.features, "classes", shape->classes);
    graph_keep(g, net.features);
    graph_keep(g, net.logits);
    return net;
}

/* The logarithm of the sum of the exponentials. The largest logit is subtracted first: none
 * overflows. */
static double log_sum(const float *logits, int classes)
{
    double largest = logits[0];
    for (int k = 1; k < classes; k++)
        largest = fmax(largest, (double)logits[k]);
    double sum = exp((double)logits[0] - largest);
    for (int k = 1; k < classes; k++)
        sum += exp((double)logits[k] - largest);
    return largest + log(sum);
}

double classifier_loss(const float *logits, const int *labels, int count, int classes,
                       float *gradient)
{
    double loss = 0;
    for (int i = 0; i < count; i++) {
        const float *row = logits + (size_t)i * (size_t)classes;
        const double total = log_sum(row, classes);
        loss += (total - (double)row[labels[i]]) / count;
        for (int k = 0; gradient && k < classes; k++) {
            const double share = exp((double)row[k] - total);
            gradient[(size_t)i * (size_t)classes + (size_t)k] =
                (float)((share - (k == labels[i])) / count);
        }
    }
    return loss;
}

int classifier_hits(const float *logits, const int *labels, int count, int classes)
{
    int hits = 0;
    for (int i = 0; i < count; i++) {
        const float *row = logits + (size_t)i * (size_t)classes;
        int best = 0;
        for (int k = 1; k < classes; k++)
            if (row[k] > row[best])
                best = k;
        hits += best == labels[i];
    }
    return hits;
}
