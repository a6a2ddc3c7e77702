/* Keeps the permutation of one epoch, and makes the next one when a position lies beyond. The
 * permutation is keyed by the seed and the epoch (base/random.h). */
#include "data/epoch.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>

bool epoch_make(EpochOrder *order, uint64_t seed, int64_t count, Error *error)
{
    assert(count >= 1 && count <= UINT32_MAX);
    *order = (EpochOrder){.seed = seed, .count = (uint32_t)count, .current = -1};
    order->order = memory_large((size_t)count, sizeof *order->order, "order of an epoch", error);
    return order->order != NULL;
}

void epoch_free(EpochOrder *order)
{
    memory_free(order->order);
    *order = (EpochOrder){.current = -1};
}

void epoch_indices(EpochOrder *order, int64_t first, int n, int64_t *indices)
{
    for (int j = 0; j < n; j++) {
        int64_t epoch = (first + j) / order->count;
        if (epoch != order->current) {
            RandomKey key = {
                .seed = order->seed, .purpose = RANDOM_SHUFFLE, .step = (uint32_t)epoch};
            random_permutation(key, order->order, order->count);
            order->current = epoch;
        }
        indices[j] = order->order[(first + j) % order->count];
    }
}
