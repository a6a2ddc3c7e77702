/* A variance head on the trunk's features (Bao et al. 2022b): what stage 2 trains.
 *
 *     simple   GroupNorm -> SiLU -> conv3x3
 *     complex  residual block (with the time embedding) before it
 *
 * Outputs are raw: no softplus, no exponential. Parameter names start at "block", "norm_out" and
 * "conv_out"; each head has a ParamSet of its own.
 */
#pragma once

#include "io/config.h"
#include "nn/graph.h"

typedef struct Head {
    Value *features; /* input [n, resolution, resolution, f] */
    Value *temb;     /* input [n, 1, 1, 4 channels], before SiLU; NULL for a simple head */
    Value *out;      /* kept  [n, resolution, resolution, image channels] */
} Head;

/* Builds a head of the type that `config` names in an empty graph. Its inputs read `features` and
 * `temb`, which are kept values of a finished trunk graph. */
Head head_build(Graph *graph, const Config *config, const Value *features, const Value *temb);
