/* Trains the classifier in whose features images are compared. */
#pragma once

#include "evaluation/feature_net.h"

/* Images, labels and length of a training. */
typedef struct FeatureTraining {
    /* The file to write. */
    const char *path;
    /* Names the data set, and says whether images are flipped. */
    const Config *config;
    /* Files of labels; NULL: data/labels.h finds them. */
    const char *train_labels, *test_labels;
    /* Steps of 128 images. 0: 1200, or 5000 for images of three channels. */
    int64_t steps, seed;
    bool quiet;
} FeatureTraining;

/* Trains a classifier and writes its file: in about a minute for grey images, and with a larger
 * network, in many, for images of three channels. Training images are flipped at random if those of
 * the diffusion model are, and those of three channels are moved by up to 4 pixels. An input error if images or labels are missing, or
 * if the file can't be written. */
bool feature_training_run(const FeatureTraining *task, Error *error);
