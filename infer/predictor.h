/* The network as the bound sees it (diffusion/bound.h). */
#pragma once

#include "diffusion/bound.h"
#include "network.h"

/* The network must be prepared and must outlive the predictor. */
Predictor network_predictor(Network *network, const EstimateOptions *options);
