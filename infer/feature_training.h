/* Trains the classifier in whose features images are compared. */
#pragma once

#include "feature_net.h"

/* Fills in what a network with resolution, channels, steps and seed lacks: name, data, classes, parameters,
 * weights, and how many test images it classifies right. Training images are seen as the diffusion model
 * sees them, flipped or not. */
bool feature_training_run(FeatureNet *net, const FeatureNetRequest *request, Error *error);
