/* Reads several of our tensors from one, and sorts the rows of queries, keys and values.
 *
 * improved-diffusion and the older order of guided-diffusion have the rows of a head's queries, keys
 * and values together, head by head. Ours has all queries first, then all keys, then all values.
 */
#include "exchange/foreign_parts.h"

#include "base/memory.h"
#include "config/config_network.h"

#include <string.h>

struct ForeignParts {
    ForeignPairs pairs;
    float *weights;
    /* [params.count]: the whole tensor whose first part is that parameter; NULL if it is read in
     * place. */
    float **whole;
};

static NamePart part_of(const ForeignPairs *n, int param)
{
    return names_part(n->style, n->config, n->params->items[param].name);
}

/* The parameter that is part `index` of the tensor whose first part is `first`. */
static int find_part(const ForeignPairs *n, int first, int index)
{
    for (int i = 0; i < n->params->count; i++)
        if (n->tensors[i] == n->tensors[first] && part_of(n, i).index == index)
            return i;
    return first;
}

static bool is_in_place(const ForeignPairs *n, int first)
{
    const Param *items = n->params->items;
    const int count = part_of(n, first).count;
    for (int k = 1; k < count; k++)
        if (items[find_part(n, first, k)].offset !=
            items[first].offset + (size_t)k * items[first].count)
            return false;
    return true;
}

ForeignParts *foreign_parts_wish(const ForeignPairs *n, float *weights, TensorWish *wishes,
                                 int *count, Error *error)
{
    ForeignParts *parts = memory_small(1, sizeof *parts);
    *parts = (ForeignParts){.pairs = *n,
                            .weights = weights,
                            .whole = memory_small((size_t)n->params->count, sizeof *parts->whole)};
    *count = 0;
    for (int i = 0; i < n->params->count; i++) {
        const NamePart part = part_of(n, i);
        float *to = weights + n->params->items[i].offset;
        if (part.index > 0)
            continue;
        if (!is_in_place(n, i)) {
            to = parts->whole[i] = memory_large((size_t)part.count * n->params->items[i].count,
                                                sizeof *to, n->params->items[i].name, error);
            if (!to) {
                foreign_parts_free(parts);
                return NULL;
            }
        }
        wishes[(*count)++] = (TensorWish){.tensor = n->tensors[i], .to = to};
    }
    return parts;
}

/* rows [3, heads, width, length] := the same of [heads, 3, width, length]. */
static void sort_rows(float *rows, size_t heads, size_t width, size_t length)
{
    const size_t each = width * length, all = 3 * heads * each;
    float *before = memory_small(all, sizeof *before);
    memcpy(before, rows, all * sizeof *rows);
    for (size_t head = 0; head < heads; head++)
        for (size_t k = 0; k < 3; k++)
            memcpy(rows + (k * heads + head) * each, before + (head * 3 + k) * each,
                   each * sizeof *rows);
    memory_free(before);
}

void foreign_parts_place(ForeignParts *parts)
{
    const ForeignPairs *n = &parts->pairs;
    for (int i = 0; i < n->params->count; i++) {
        const NamePart part = part_of(n, i);
        const Param *param = &n->params->items[i];
        const size_t channels = (size_t)param->shape[0];
        for (int k = 0; parts->whole[i] && k < part.count; k++)
            memcpy(parts->weights + n->params->items[find_part(n, i, k)].offset,
                   parts->whole[i] + (size_t)k * param->count, param->count * sizeof(float));
        const size_t heads = (size_t)config_heads(n->config, param->shape[0]);
        if (part.count == 3 && part.index == 0 && n->heads_first && heads > 0)
            sort_rows(parts->weights + param->offset, heads, channels / heads,
                      param->count / channels);
    }
}

void foreign_parts_free(ForeignParts *parts)
{
    if (!parts)
        return;
    for (int i = 0; i < parts->pairs.params->count; i++)
        memory_free(parts->whole[i]);
    memory_free(parts->whole);
    memory_free(parts);
}
