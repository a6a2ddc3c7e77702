/* Trains the classifier in whose features images are compared. */
#pragma once

#include "evaluation/feature_net.h"

enum { FEATURE_TRAINING_STEPS = 1200 }; /* if nobody says otherwise */

/* What it is trained on. */
typedef struct FeatureTraining {
    const char *path;                       /* of the file to be written */
    const Config *config;                   /* names the data set, and says whether it is flipped */
    const char *train_labels, *test_labels; /* files; NULL: where data/labels.h looks for them */
    int64_t steps, seed;
    bool quiet;
} FeatureTraining;

/* Trains a classifier, in about a minute, and writes its file. Training images are seen as the diffusion model sees
 * them, flipped or not. An input error if labels are missing. */
bool feature_training_run(const FeatureTraining *task, Error *error);
