/* A slice is a range of groups of 64 numbers, as many in each process as in the others, or one more.
 * Every process counts the tensors that it has brought to the first one, and so all agree which is
 * next. */
#include "train/shard.h"

#include "base/group.h"
#include "base/memory.h"

#include <string.h>

enum { TOGETHER = 64, ARRAYS = 3 };

struct Shard {
    const ParamSet *params;
    /* [processes + 1]: the bytes of a flat array at which slices begin. */
    size_t *starts;
    /* [the largest tensor] */
    float *room;
    /* Tensors that were brought since the last save began; a whole save brings ARRAYS of each parameter. */
    int brought;
};

static size_t start_of(size_t size, int rank)
{
    const int64_t groups = (int64_t)((size + TOGETHER - 1) / TOGETHER);
    const size_t start = (size_t)group_start(groups, rank) * TOGETHER;
    return start < size ? start : size;
}

static size_t largest_tensor(const ParamSet *params)
{
    size_t largest = 1;
    for (int i = 0; i < params->count; i++)
        if (params->items[i].count > largest)
            largest = params->items[i].count;
    return largest;
}

bool shard_make(Shard **shard, const ParamSet *params, Error *error)
{
    *shard = NULL;
    const int size = group_size();
    if (size == 1)
        return true;
    Shard *s = *shard = memory_small(1, sizeof *s);
    *s = (Shard){.params = params, .starts = memory_small((size_t)size + 1, sizeof *s->starts)};
    for (int r = 0; r <= size; r++)
        s->starts[r] = start_of(params->size, r) * sizeof(float);
    return (s->room = memory_large(largest_tensor(params), sizeof *s->room,
                                   "a tensor of the optimizer", error)) != NULL;
}

void shard_free(Shard *shard)
{
    if (!shard)
        return;
    memory_free(shard->room);
    memory_free(shard->starts);
    memory_free(shard);
}

void shard_slice(const Shard *shard, size_t *first, size_t *count)
{
    const size_t *start = shard->starts + group_rank();
    *first = start[0] / sizeof(float);
    *count = (start[1] - start[0]) / sizeof(float);
}

OptimizerState shard_of_state(const Shard *shard, const OptimizerState *state)
{
    OptimizerState slice = *state;
    size_t first;
    shard_slice(shard, &first, &slice.size);
    slice.weights += first;
    slice.gradients += first;
    return slice;
}

void shard_gather(const Shard *shard, float *weights)
{
    group_gather_parts(weights, shard->starts);
}

/* -- Checkpoints -------------------------------------------------------------------------------- */

/* The numbers of a tensor that lie in the slice of process `rank`: as shard_of_tensor. */
static size_t part_of(const Shard *s, const Param *param, int rank, size_t *from)
{
    const size_t first = s->starts[rank] / sizeof(float),
                 last = s->starts[rank + 1] / sizeof(float);
    const size_t end = param->offset + param->count;
    const size_t begin = first > param->offset ? first : param->offset;
    const size_t stop = last < end ? last : end;
    *from = begin - param->offset;
    return stop > begin ? stop - begin : 0;
}

size_t shard_of_tensor(const Shard *shard, const Param *param, size_t *from)
{
    return part_of(shard, param, group_rank(), from);
}

float *shard_room(const Shard *shard)
{
    return shard->room;
}

/* Brings the next tensor to the first process. */
static void bring(Shard *s, const OptimizerState *state)
{
    float *const arrays[ARRAYS] = {state->ema, state->first_moment, state->second_moment};
    float *array = arrays[s->brought / s->params->count];
    const Param *param = &s->params->items[s->brought++ % s->params->count];
    const int own = group_rank();
    for (int r = 0; r < group_size(); r++) {
        size_t from;
        const size_t count = part_of(s, param, r, &from);
        if (count == 0 || (own != 0 && own != r))
            continue;
        float *slice =
            own == r ? array + param->offset + from - s->starts[r] / sizeof(float) : NULL;
        if (r == 0)
            memcpy(s->room + from, slice, count * sizeof(float));
        else
            group_bring(own == 0 ? s->room + from : slice, count * sizeof(float), r);
    }
}

const float *shard_next(Shard *shard, const OptimizerState *state)
{
    const bool before = group_alone(false);
    bring(shard, state);
    group_alone(before);
    return shard->room;
}

void shard_bring_rest(Shard *shard, const OptimizerState *state)
{
    while (shard->brought < ARRAYS * shard->params->count)
        bring(shard, state);
    shard->brought = 0;
}
