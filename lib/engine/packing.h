/* Weights in the type and the layout that a primitive reads, made again when they change. */
#pragma once

#include "engine/op.h"

typedef struct Packing {
    /* The primitive that reads the packed weights. NULL: there is nothing to pack. */
    const Primitive *user;
    void *packed;
} Packing;

/* For the weights of `user`, which has to outlive the packing; counts its memory as the graph's.
 * Nothing is packed where `user` reads the plain weights. */
bool packing_prepare(Packing *packing, Graph *graph, const Primitive *user, Error *error);

/* `weights`: as they lie in the parameters. */
void packing_run(Packing *packing, const float *weights);

/* The weights that the user reads: the packed ones, or, where there are none, the plain ones. */
void *packing_weights(const Packing *packing, const float *weights);

void packing_free(Packing *packing);
