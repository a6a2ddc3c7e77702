/* The network as the bound sees it (diffusion/bound.h). */
#pragma once

#include "diffusion/bound.h"
#include "network.h"

/* Settings of the estimates: clip to [0, 1], the mean over an image. The network must be prepared and
 * must outlive the predictor. */
Predictor network_predictor(Network *network, bool clip_cov, bool average_cov);
