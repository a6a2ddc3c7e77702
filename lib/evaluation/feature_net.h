/* The network in whose features images are compared: a small classifier (model/classifier.h) of the run's
 * own data set, trained when it is first needed and kept in a file.
 *
 *     attributes   format "varhead-classifier", version 1, name, data, resolution, channels, classes,
 *                  steps, seed, accuracy, test_images
 *     /weights/<name>   float32, as in a checkpoint: the moving average of training
 *
 * Distances in its features compare with one another only where the name is the same: it has a fingerprint
 * of the weights in it.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "engine/params.h"
#include "model/classifier.h"

typedef struct FeatureNet {
    char *name; /* "cnn64-3f9a1c02" */
    char *path; /* of its file */
    char *data; /* the images that it was trained on */
    int resolution, channels, classes;
    int64_t steps, seed, test_images;
    double accuracy; /* the share of test_images, all held out, that it classifies right */
    ParamSet params;
    float *weights; /* [params.size] */
    Graph *graph;
    Classifier net;
} FeatureNet;

/* The name of a network with the weights [size]: "cnn64-3f9a1c02". Caller frees. */
char *feature_net_name(const float *weights, size_t size);

/* Reads the file `path`. An input error if it is something else, or for other images than `config` describes. */
bool feature_net_open(FeatureNet **net, const char *path, const Config *config, Error *error);

/* Writes net->path, whole or not at all. Graph and net are not needed. */
bool feature_net_write(const FeatureNet *net, Error *error);

void feature_net_close(FeatureNet *net); /* NULL is fine */

/* features [count, CLASSIFIER_FEATURES] of images [count, resolution, resolution, channels]. */
bool feature_net_evaluate(FeatureNet *net, const float *images, int count, float *features,
                          Error *error);
