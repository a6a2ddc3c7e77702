/* Trains the classifier in whose features images are compared. */
#pragma once

#include "evaluation/feature_net.h"

/* The default number of steps. */
enum { FEATURE_TRAINING_STEPS = 1200 };

/* Images, labels and length of a training. */
typedef struct FeatureTraining {
    /* The file to write. */
    const char *path;
    /* Names the data set, and says whether images are flipped. */
    const Config *config;
    /* Files of labels; NULL: data/labels.h finds them. */
    const char *train_labels, *test_labels;
    int64_t steps, seed;
    bool quiet;
} FeatureTraining;

/* Trains a classifier, which takes about a minute, and writes its file. Training images are flipped
 * at random if those of the diffusion model are. An input error if images or labels are missing, or
 * if the file can't be written. */
bool feature_training_run(const FeatureTraining *task, Error *error);
