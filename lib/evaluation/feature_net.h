/* A small classifier (model/classifier.h) in whose features images are compared. It classifies the
 * run's own data set. It is trained when it is first needed, and kept in a file:
 *
 *     attributes        format "varhead-classifier", version 2, name, data, resolution, channels,
 *                       classes, width, blocks, steps, seed, accuracy, test_images; version 1 has
 *                       neither width nor blocks, which are 16 and 0
 *     /weights/<name>   float32, as in a checkpoint: the moving average of training
 *
 * The name contains a fingerprint of the weights. Distances are comparable only if they were
 * measured with classifiers of the same name.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "engine/params.h"
#include "model/classifier.h"

typedef struct FeatureNet {
    /* "cnn64-3f9a1c02" */
    char *name;
    /* The path of the file. */
    char *path;
    /* The name of the training images. */
    char *data;
    ClassifierShape shape;
    int64_t steps, seed, test_images;
    /* The share of correctly classified test images. All test_images were held out. */
    double accuracy;
    ParamSet params;
    /* [params.size] */
    float *weights;
    Graph *graph;
    Classifier net;
} FeatureNet;

/* The name of a network with these weights [size]: "cnn64-3f9a1c02". The caller frees it. */
char *feature_net_name(const float *weights, size_t size);

/* Reads the file `path`. An input error if the file is no classifier or is damaged, or if its
 * images have another size than those of `config`. */
bool feature_net_open(FeatureNet **net, const char *path, const Config *config, Error *error);

/* Writes net->path, completely or not at all. Does not use net->graph and net->net. */
bool feature_net_write(const FeatureNet *net, Error *error);

void feature_net_close(FeatureNet *net); /* NULL is fine */

/* features [count, CLASSIFIER_FEATURES] := the features of images [count, resolution, resolution,
 * channels]. A run-time error if a signal stops it. */
bool feature_net_evaluate(FeatureNet *net, const float *images, int count, float *features,
                          Error *error);
