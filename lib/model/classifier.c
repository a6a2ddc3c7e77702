/* Builds the classifier, and computes its loss and its hits.
 *
 * The loss is computed in double, from logits whose largest is subtracted first, so that no
 * exponential overflows.
 */
#include "model/classifier.h"

#include "layers/layers.h"

#include <math.h>
#include <stdio.h>

enum { FIRST_CHANNELS = 16, MOST_CHANNELS = 64, GROUPS = 4, LAST_SIDE = 4 };

static Value *norm_silu(Graph *g, Value *x, const char *name)
{
    return nn_group_norm(g, x, name, (Norm){.groups = GROUPS, .silu = true});
}

Classifier classifier_build(Graph *g, int resolution, int channels, int classes)
{
    Classifier net = {.images = graph_input(g, resolution, resolution, channels)};
    int width = FIRST_CHANNELS, level = 0;
    char name[PARAM_NAME_SIZE];
    Value *h = nn_conv2d(g, net.images, "conv_in", width,
                         (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
    for (; value_height(h) > LAST_SIDE; level++) {
        snprintf(name, sizeof name, "norm.%d", level);
        h = norm_silu(g, h, name);
        width = 2 * width < MOST_CHANNELS ? 2 * width : MOST_CHANNELS;
        snprintf(name, sizeof name, "conv.%d", level);
        h = nn_conv2d(g, h, name, width,
                      (Conv){.kernel = 3, .stride = 2, .pad_begin = 1, .pad_end = 1});
    }
    h = norm_silu(g, h, "norm_out");
    h = nn_conv2d(g, h, "features", CLASSIFIER_FEATURES, (Conv){.kernel = value_height(h)});
    net.features = nn_group_norm(g, h, "norm_features", (Norm){.groups = 1, .silu = true});
    net.logits = nn_linear(g, net.features, "classes", classes);
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
