/* Places buffers in an arena, the largest first, each at the lowest offset where it fits.
 *
 * The plan is a function of the sizes and lives alone: equal sizes keep the order in which they
 * were added.
 */
#include "engine/memory_plan.h"

#include "base/memory.h"

#include <stdlib.h>

void memory_plan_add(MemoryPlan *plan, void **target, size_t bytes, int first, int last)
{
    if (bytes == 0)
        return;
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? 2 * plan->capacity : 256;
        plan->buffers = memory_grow(plan->buffers, (size_t)plan->capacity, sizeof *plan->buffers);
    }
    plan->buffers[plan->count++] = (PlannedBuffer){
        .target = target, .bytes = memory_aligned(bytes), .first = first, .last = last};
}

static bool meet(const PlannedBuffer *a, const PlannedBuffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Largest first; equal sizes in order of birth, so that a plan is the same on every machine. */
static int by_size(const void *left, const void *right)
{
    const PlannedBuffer *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->last < b->last ? -1 : a->last > b->last;
}

static int by_offset(const void *left, const void *right)
{
    const PlannedBuffer *a = *(const PlannedBuffer *const *)left;
    const PlannedBuffer *b = *(const PlannedBuffer *const *)right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* The lowest offset at which `buffer` fits between those of the first `placed` that it meets. */
static size_t lowest_offset(const MemoryPlan *plan, int placed, const PlannedBuffer *buffer,
                            const PlannedBuffer **meeting)
{
    int count = 0;
    for (int i = 0; i < placed; i++)
        if (meet(&plan->buffers[i], buffer))
            meeting[count++] = &plan->buffers[i];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort(meeting, (size_t)count, sizeof *meeting, by_offset);
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (offset + buffer->bytes <= meeting[i]->offset)
            break;
        size_t end = meeting[i]->offset + meeting[i]->bytes;
        if (end > offset)
            offset = end;
    }
    return offset;
}

void memory_plan_solve(MemoryPlan *plan)
{
    plan->bytes = 0;
    if (plan->count == 0)
        return;
    qsort(plan->buffers, (size_t)plan->count, sizeof *plan->buffers, by_size);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): and kept */
    const PlannedBuffer **meeting = memory_small((size_t)plan->count, sizeof *meeting);
    for (int i = 0; i < plan->count; i++) {
        PlannedBuffer *buffer = &plan->buffers[i];
        buffer->offset = lowest_offset(plan, i, buffer, meeting);
        if (buffer->offset + buffer->bytes > plan->bytes)
            plan->bytes = buffer->offset + buffer->bytes;
    }
    memory_free(meeting);
}

size_t memory_plan_lower_bound(const MemoryPlan *plan)
{
    size_t most = 0;
    for (int i = 0; i < plan->count; i++) {
        /* The busiest step is one at which some buffer is born. */
        size_t alive = 0;
        for (int j = 0; j < plan->count; j++)
            if (plan->buffers[j].first <= plan->buffers[i].first &&
                plan->buffers[i].first <= plan->buffers[j].last)
                alive += plan->buffers[j].bytes;
        if (alive > most)
            most = alive;
    }
    return most;
}

void memory_plan_assign(const MemoryPlan *plan, void *arena)
{
    for (int i = 0; i < plan->count; i++)
        *plan->buffers[i].target = (char *)arena + plan->buffers[i].offset;
}

void memory_plan_free(MemoryPlan *plan)
{
    memory_free(plan->buffers);
    *plan = (MemoryPlan){0};
}
