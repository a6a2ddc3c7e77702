/* A variance head on the trunk's features (Bao et al. 2022b). Stage 2 fits it.
 *
 *     simple   GroupNorm -> SiLU -> conv3x3
 *     complex  residual block (with the time embedding) before it
 *
 * Outputs are raw: no softplus, no exponential. Parameter names start at "block", "norm_out" and
 * "conv_out"; each head has a ParamSet of its own.
 *
 * A head may have one last convolution for each bin of timesteps (diffusion/time_bins.h). All of
 * them run on every image, side by side in one convolution, and each image takes the channels of
 * its bin. The channels are few, so that more of them cost nothing.
 */
#pragma once

#include "config/config.h"
#include "engine/graph.h"

typedef struct Head {
    int bins;
    /* Input, [n, resolution, resolution, f]. */
    Value *features;
    /* Input, [n, 1, 1, 4 channels], before SiLU. NULL for a simple head. */
    Value *temb;
    /* Kept, [n, resolution, resolution, bins * image channels]. */
    Value *out;
} Head;

/* Builds a head of the type that `config` names in an empty graph. Its inputs read `features` and
 * `temb`, which are kept values of a finished trunk graph. With more than one bin conv_out.weight
 * and .bias have a leading dimension, [bins]. */
Head head_build(Graph *graph, const Config *config, int bins, const Value *features,
                const Value *temb);

/* Builds a simple head without its last convolution, with the parameters "norm_out", in an empty
 * graph. The result is kept: the input of that convolution, [n, resolution, resolution, f]. */
Value *head_basis_build(Graph *graph, const Config *config, const Value *features);

/* out [images, resolution, resolution, image channels] := the output of image i in bin[i], after
 * graph_forward. */
void head_read(const Head *head, const int *bin, int images, float *out);

/* The way back of head_read: seeds the gradient of head->out for all images of the graph.
 * `gradient` has the shape of the outputs that head_read gave. */
void head_seed_gradient(const Head *head, const int *bin, const float *gradient);
