#include "nn/packing.h"

#include "base/memory.h"

bool packing_prepare(Packing *packing, Graph *graph, const Primitive *user, Error *error)
{
    if (!primitive_pack(&packing->reorder, user, error))
        return false;
    size_t bytes = primitive_weights_bytes(user);
    size_t scratch = primitive_scratch_bytes(packing->reorder);
    packing->packed = memory_large(bytes, 1, "packed weights", error);
    packing->scratch =
        packing->packed ? memory_large(scratch, 1, "packing of weights", error) : NULL;
    graph->packed_bytes += bytes + scratch;
    return packing->scratch != NULL;
}

bool packing_run(Packing *packing, const float *weights, Error *error)
{
    void *operands[OPERAND_COUNT] = {
        [OPERAND_SRC] = (void *)weights, [OPERAND_DST] = packing->packed};
    return !packing->reorder || primitive_run(packing->reorder, operands, packing->scratch, error);
}

void packing_free(Packing *packing)
{
    primitive_free(packing->reorder);
    memory_free(packing->packed);
    memory_free(packing->scratch);
}
