/* The network as the bound sees it (variance/predictor.h). */
#pragma once

#include "inference/network.h"
#include "variance/predictor.h"

/* The network must be prepared and must outlive the predictor. */
Predictor network_predictor(Network *network, const EstimateOptions *options);
