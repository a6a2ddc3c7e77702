/* Weights in the type and the layout that a primitive reads, made again when they change. */
#pragma once

#include "nn/op.h"

typedef struct Packing {
    Primitive *reorder;
    void *packed; /* NULL: there is nothing to pack */
    void *scratch;
} Packing;

/* For the weights of `user`; counts its memory as the graph's. */
bool packing_prepare(Packing *packing, Graph *graph, const Primitive *user, Error *error);

/* `weights`: as they lie in the parameters. */
bool packing_run(Packing *packing, const float *weights, Error *error);

void packing_free(Packing *packing);
