/* A variance head on the trunk's features (Bao et al. 2022b): what stage 2 fits.
 *
 *     simple   GroupNorm -> SiLU -> conv3x3
 *     complex  residual block (with the time embedding) before it
 *
 * Outputs are raw: no softplus, no exponential. Parameter names start at "block", "norm_out" and
 * "conv_out"; each head has a ParamSet of its own.
 *
 * A head may have one last convolution for each bin of timesteps (diffusion/time_bins.h). All of them run
 * on every image, side by side in one convolution that has so few channels that more cost nothing, and
 * each image takes the channels of its bin.
 */
#pragma once

#include "config/config.h"
#include "engine/graph.h"

typedef struct Head {
    int bins;
    Value *features; /* input [n, resolution, resolution, f] */
    Value *temb;     /* input [n, 1, 1, 4 channels], before SiLU; NULL for a simple head */
    Value *out;      /* kept  [n, resolution, resolution, bins * image channels] */
} Head;

/* Builds a head of the type that `config` names in an empty graph. Its inputs read `features` and
 * `temb`, which are kept values of a finished trunk graph. With more than one bin conv_out.weight and
 * .bias have a leading dimension, [bins]. */
Head head_build(Graph *graph, const Config *config, int bins, const Value *features,
                const Value *temb);

/* What the last convolution of a simple head reads, [n, resolution, resolution, f]: a value that is kept, of a
 * graph of its own with the parameters "norm_out". */
Value *head_basis_build(Graph *graph, const Config *config, const Value *features);

/* out [images, resolution, resolution, image channels] := the output of image i in bin[i], after
 * graph_forward. */
void head_read(const Head *head, const int *bin, int images, float *out);

/* The way back: seeds the gradient of head->out, of all its images, with that of what head_read gave. */
void head_seed_gradient(const Head *head, const int *bin, const float *gradient);
