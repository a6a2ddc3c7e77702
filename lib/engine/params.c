/* A list of tensors, searched by name, and their first numbers.
 *
 * The first numbers of a tensor are keyed by a hash of its name, so that they do not depend on its
 * place in the set.
 */
#include "engine/params.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void params_init(ParamSet *set)
{
    *set = (ParamSet){0};
}

void params_free(ParamSet *set)
{
    memory_free(set->items);
    *set = (ParamSet){0};
}

int params_find(const ParamSet *set, const char *name)
{
    for (int i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0)
            return i;
    return -1;
}

/* FNV-1a. */
static uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* Two tensors whose names have one hash would start with the same numbers. */
static bool is_new_stream(const ParamSet *set, uint32_t stream)
{
    for (int i = 0; i < set->count; i++)
        if (set->items[i].stream == stream)
            return false;
    return true;
}

int params_add(ParamSet *set, const char *name, int rank, const int *shape, ParamInit init,
               int fan_in)
{
    assert(rank >= 1 && rank <= PARAM_MAX_RANK);
    int known = params_find(set, name);
    if (known >= 0) {
        assert(set->items[known].rank == rank);
        assert(memcmp(set->items[known].shape, shape, sizeof(int) * (size_t)rank) == 0);
        return known;
    }
    /* tests/test_params.c tries all names that a configuration can lead to. */
    const uint32_t stream = name_hash(name);
    assert(is_new_stream(set, stream));
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? 2 * set->capacity : 64;
        set->items = memory_grow(set->items, (size_t)set->capacity, sizeof *set->items);
    }
    Param *param = &set->items[set->count];
    *param = (Param){.rank = rank,
                     .offset = set->size,
                     .count = 1,
                     .init = init,
                     .fan_in = fan_in,
                     .stream = stream};
    int length = snprintf(param->name, sizeof param->name, "%s", name);
    assert(length > 0 && length < PARAM_NAME_SIZE);
    for (int d = 0; d < rank; d++) {
        param->shape[d] = shape[d];
        param->count *= (size_t)shape[d];
    }
    set->size += param->count;
    return set->count++;
}

void params_initialise(const ParamSet *set, uint64_t seed, float *values)
{
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        float *tensor = values + param->offset;
        if (param->init != PARAM_UNIFORM_FAN_IN) {
            for (size_t k = 0; k < param->count; k++)
                tensor[k] = param->init == PARAM_ONE ? 1.0f : 0.0f;
            continue;
        }
        double bound = 1.0 / sqrt((double)param->fan_in);
        RandomKey key = {.seed = seed, .purpose = RANDOM_INIT, .sample = param->stream};
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < param->count; k++)
            tensor[k] = (float)(bound * (2.0 * random_uniform(key, (uint32_t)k) - 1.0));
    }
}
