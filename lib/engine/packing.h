/* Weights in the type and the layout that a primitive reads, made again when they change. */
#pragma once

#include "engine/op.h"

typedef struct Packing {
    /* The primitive that reads the packed weights. NULL: there is nothing to pack. */
    const Primitive *user;
    /* Where they lie in graph->packed, in bytes. */
    size_t offset;
} Packing;

/* For the weights of `user`, which has to outlive the packing; reserves their part of
 * graph->packed, which is there once all operations are prepared. Nothing is packed where `user`
 * reads the plain weights. */
void packing_prepare(Packing *packing, Graph *graph, const Primitive *user);

/* `weights`: as they lie in the parameters. */
void packing_run(const Packing *packing, Graph *graph, const float *weights);

/* The weights that the user reads: the packed ones, or, where there are none, the plain ones. */
void *packing_weights(const Packing *packing, const Graph *graph, const float *weights);
