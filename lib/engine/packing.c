/* Packed weights live outside of the graph's arena, since every run reads them. */
#include "engine/packing.h"

#include "base/memory.h"

bool packing_prepare(Packing *packing, Graph *graph, const Primitive *user, Error *error)
{
    const size_t bytes = primitive_weights_bytes(user);
    if (bytes == 0)
        return true;
    packing->user = user;
    packing->packed = memory_large(bytes, 1, "packed weights", error);
    graph->packed_bytes += bytes;
    return packing->packed != NULL;
}

void packing_run(Packing *packing, const float *weights)
{
    if (packing->user)
        primitive_pack(packing->user, weights, packing->packed);
}

void *packing_weights(const Packing *packing, const float *weights)
{
    return packing->packed ? packing->packed : (void *)weights;
}

void packing_free(Packing *packing)
{
    memory_free(packing->packed);
}
