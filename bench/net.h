/* A network with its two heads, for measurements: of a checkpoint, or with random weights. */
#pragma once

#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

enum { NET_HEADS = 2, NET_NPR = 0, NET_SN = 1 };

typedef struct Net {
    ParamSet params, head_params[NET_HEADS];
    float *weights, *head_weights[NET_HEADS];
    Graph *graph, *head_graphs[NET_HEADS];
    UNet unet;
    Head heads[NET_HEADS];
    /* The bins of the heads; one bin for random weights. */
    TimeBins bins;
} Net;

/* Ready to run, `images` at a time. `checkpoint` is a stage-2 one with both heads, whose moving
 * averages are taken. NULL: weights are random, and those of the heads such that their outputs are
 * plausible. */
bool net_make(Net *net, const Config *config, Checkpoint *checkpoint, DType type, int images,
              Error *error);
void net_free(Net *net); /* fine on a zeroed struct */

/* Evaluates network and heads at x_t, `images` of them all at the same model time; the results are
 * the values of the graphs. */
bool net_run(Net *net, const float *x_t, size_t count, double time, int images, Error *error);

/* Whether the network has this head, "npr" say. NULL, none at all, is true. */
bool net_has_head(const char *name);

/* After net_run: out [images, dims] := the output of head k in the bin of timestep t. */
void net_read_head(const Net *net, int k, int t, int images, float *out);
