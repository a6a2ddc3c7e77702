/* The weights of all operations are packed in one block of memory: it is large enough for huge
 * pages, which one operation's share of it is not. It lies outside of the graph's arena, since every
 * run reads it. */
#include "engine/packing.h"

#include "base/memory.h"

void packing_prepare(Packing *packing, Graph *graph, const Primitive *user)
{
    const size_t bytes = primitive_weights_bytes(user);
    if (bytes == 0)
        return;
    *packing = (Packing){.user = user, .offset = graph->packed_bytes};
    graph->packed_bytes += memory_aligned(bytes);
}

void packing_run(const Packing *packing, Graph *graph, const float *weights)
{
    if (packing->user)
        primitive_pack(packing->user, weights, (char *)graph->packed + packing->offset);
}

void *packing_weights(const Packing *packing, const Graph *graph, const float *weights)
{
    return packing->user ? (char *)graph->packed + packing->offset : (void *)weights;
}
