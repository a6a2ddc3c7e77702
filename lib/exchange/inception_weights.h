/* The weights of the FID's Inception-v3 (model/inception.h), from a file of another program:
 *
 *     weights-inception-2015-12-05-6726825d.pth    of torch-fidelity
 *     pt_inception-2015-12-05-6726825d.pth         of pytorch-fid
 *
 * Both are state dicts of PyTorch with the same names: for a convolution NAME the tensors
 * NAME.conv.weight, NAME.bn.weight, .bias, .running_mean and .running_var, and fc.weight and fc.bias
 * of a last layer, which the features don't need. The last layer has 1008 outputs. It tells this
 * network from torchvision's Inception-v3, which has the same names, 1000 outputs and other weights.
 * The file may be safetensors too.
 */
#pragma once

#include "base/error.h"
#include "engine/params.h"

/* weights [params->size] := the convolutions with their normalisations folded in, for the parameters
 * of inception_build:
 *
 *     weight := conv.weight * s,  bias := bn.bias - bn.running_mean * s,
 *     s = bn.weight / sqrt(bn.running_var + 0.001), for each channel
 *
 * An input error of one line if tensors are missing or of another shape, or have numbers that are
 * not finite or variances below 0. If there is no such file, the line says where it is published. */
bool inception_weights_read(const char *path, const ParamSet *params, float *weights, Error *error);
