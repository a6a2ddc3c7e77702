/* Draws the samples of a cell, in batches of the network, as pictures have them. */
#pragma once

#include "inference/sampler.h"

/* images [count, dims] := samples first .. first + count - 1, rounded (quality_images.h). The
 * network must be prepared. */
bool quality_draw(Network *network, const SamplingPlan *cell, Noise *noise, int first, int count,
                  float *images, Progress *progress, Error *error);
