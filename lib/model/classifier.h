/* A small convolutional classifier: a network whose features serve to compare images.
 *
 *     conv3x3 to `width` channels
 *     (`blocks` residual blocks, GroupNorm, SiLU, conv3x3 of stride 2) until at most 4 x 4 pixels
 *         are left, channels doubling to 4 width
 *     GroupNorm, SiLU, one convolution over all pixels to 64 features, normalised over them, SiLU
 *     linear to the classes
 *
 * A residual block adds (GroupNorm, SiLU, conv3x3) twice over to its input. The features are the input of the last layer. The normalisation keeps them of the order of 1
 * after any training, so that no few images dominate a kernel (a power of products) or a mean of
 * squares.
 */
#pragma once

#include "engine/graph.h"

enum { CLASSIFIER_FEATURES = 64, CLASSIFIER_MAX_CLASSES = 1000 };

typedef struct ClassifierShape {
    /* Of the images: pixels along a side, channels, and the number of kinds of images. */
    int resolution, channels, classes;
    /* Channels after the first convolution, a multiple of 4, and residual blocks at each size. */
    int width, blocks;
} ClassifierShape;

typedef struct Classifier {
    /* Input, [n, resolution, resolution, channels], in [-1, 1]. */
    Value *images;
    /* Kept, [n, 1, 1, CLASSIFIER_FEATURES]. */
    Value *features;
    /* Kept, [n, 1, 1, classes]; seeded in training. */
    Value *logits;
} Classifier;

/* Builds the network in an empty graph. Features and logits are float32 whatever its type. */
Classifier classifier_build(Graph *graph, const ClassifierShape *shape);

/* The cross entropy of softmax(logits), averaged over the images; labels [count], 0 .. classes - 1.
 * And its gradient with respect to logits [count, classes], if `gradient` is not NULL: (softmax -
 * onehot) / count. */
double classifier_loss(const float *logits, const int *labels, int count, int classes,
                       float *gradient);

/* The number of images whose largest logit (the first of equals) is at their label. */
int classifier_hits(const float *logits, const int *labels, int count, int classes);
