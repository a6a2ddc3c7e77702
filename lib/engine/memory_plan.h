/* Memory by lifetime: buffers that are never needed at the same time share bytes.
 *
 * Time is counted in steps of a schedule. A buffer is alive from step `first` to step `last`, both
 * included. The plan places the largest buffers first, each at the lowest offset where it meets no
 * buffer alive at the same time: simple, and on U-Nets within a few per cent of the lower bound
 * (the largest sum of bytes alive at one step).
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

typedef struct PlannedBuffer {
    /* Receives the address of the buffer. */
    void **target;
    size_t bytes;
    int first, last;
    size_t offset;
} PlannedBuffer;

typedef struct MemoryPlan {
    PlannedBuffer *buffers;
    int count, capacity;
    /* The size of the arena, after memory_plan_solve. */
    size_t bytes;
} MemoryPlan;

/* Adds a buffer. A buffer of 0 bytes gets no memory, and its target stays as it is. */
void memory_plan_add(MemoryPlan *plan, void **target, size_t bytes, int first, int last);

/* Chooses every offset, and with them the size of the arena. */
void memory_plan_solve(MemoryPlan *plan);

/* The bytes alive at the busiest step: no plan can need less. */
size_t memory_plan_lower_bound(const MemoryPlan *plan);

/* Writes arena + offset to every target. */
void memory_plan_assign(const MemoryPlan *plan, void *arena);

void memory_plan_free(MemoryPlan *plan);
