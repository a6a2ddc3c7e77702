/* A small convolutional classifier: the network in whose features images are compared.
 *
 *     conv3x3 to 16 channels
 *     (GroupNorm, SiLU, conv3x3 of stride 2) until at most 4 x 4 pixels are left, channels doubling to 64
 *     GroupNorm, SiLU, one convolution over all pixels to 64 features, normalised over them, SiLU
 *     linear to the classes
 *
 * The features are what the last layer reads. The normalisation keeps them of the order of 1 whatever the
 * training, so that a kernel of a power of products, and means of squares, are not ruled by a few images.
 */
#pragma once

#include "engine/graph.h"

enum { CLASSIFIER_FEATURES = 64, CLASSIFIER_MAX_CLASSES = 1000 };

typedef struct Classifier {
    Value *images;   /* input [n, resolution, resolution, channels], in [-1, 1] */
    Value *features; /* kept  [n, 1, 1, CLASSIFIER_FEATURES] */
    Value *logits;   /* kept  [n, 1, 1, classes]; where it trains, to be seeded */
} Classifier;

/* Builds the network in an empty graph of float32, for images with `channels` channels. */
Classifier classifier_build(Graph *graph, int resolution, int channels, int classes);

/* The cross entropy of softmax(logits), averaged over the images; labels [count], 0 .. classes - 1. And its
 * gradient with respect to logits [count, classes], if `gradient` is not NULL: (softmax - onehot) / count. */
double classifier_loss(const float *logits, const int *labels, int count, int classes,
                       float *gradient);

/* How many of the images have their largest logit, the first of equals, at their label. */
int classifier_hits(const float *logits, const int *labels, int count, int classes);
