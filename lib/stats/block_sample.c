/* The sample: an array of records and a heap of keys for each group.
 *
 * The heap has the largest kept key on top. A full group takes a block if its key is smaller, in
 * the place of the block on top. Offers go through the keys in one thread, which is cheap, and note
 * the new block of each changed place. Then all threads copy these blocks. Keys differ, so the
 * block on top is the same however the heap came about, and the places need no other state.
 */
#include "stats/block_sample.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

enum {
    HEADER = 3, /* t, height, width */
    NOWHERE = -1,
};

/* Keys are below this, so that a double holds them. */
static const double key_limit = 9007199254740992.0; /* 2^53 */

typedef struct Group {
    int64_t count;
    /* [capacity, record] */
    float *records;
    /* [capacity]: the key of each place. */
    double *keys;
    /* [count]: places, as a heap by their keys. */
    int64_t *heap;
} Group;

struct BlockSample {
    BlockSampleShape shape;
    /* Blocks of an image along a side. */
    int blocks;
    int groups;
    int64_t capacity;
    size_t record;
    Group *group;
    /* [capacity]: of the offer in progress, the number of the block that goes to a place; NOWHERE:
     * the place does not change. `changed` [capacity] lists the places that do. */
    int64_t *source, *changed;
};

/* -- Making ----------------------------------------------------------------------------------- */

static size_t record_size(const BlockSampleShape *shape)
{
    return HEADER + (size_t)(BLOCK_PATCH * BLOCK_PATCH * shape->features) +
           (size_t)(BLOCK_SIDE * BLOCK_SIDE * shape->channels);
}

static bool make_group(const BlockSample *s, Group *group, Error *error)
{
    static const char what[] = "a sample of blocks";
    const size_t capacity = (size_t)s->capacity;
    group->records = memory_large(capacity, s->record * sizeof(float), what, error);
    group->keys = group->records ? memory_large(capacity, sizeof(double), what, error) : NULL;
    group->heap = group->keys ? memory_large(capacity, sizeof(int64_t), what, error) : NULL;
    return group->heap != NULL;
}

bool block_sample_make(BlockSample **sample, const BlockSampleShape *shape, int groups,
                       double bytes, int64_t most, Error *error)
{
    BlockSample *s = memory_small(1, sizeof *s);
    *s = (BlockSample){.shape = *shape,
                       .blocks = (shape->side + BLOCK_SIDE - 1) / BLOCK_SIDE,
                       .groups = groups,
                       .record = record_size(shape),
                       .group = memory_small((size_t)groups, sizeof(Group))};
    const double room = floor(bytes / groups / ((double)s->record * sizeof(float)));
    s->capacity = room < 1 ? 1 : room < (double)most ? (int64_t)room : most;
    s->source = memory_large((size_t)s->capacity, sizeof(int64_t), "a sample of blocks", error);
    s->changed =
        s->source ? memory_large((size_t)s->capacity, sizeof(int64_t), "a sample of blocks", error)
                  : NULL;
    bool done = s->changed != NULL;
    for (int64_t i = 0; done && i < s->capacity; i++)
        s->source[i] = NOWHERE;
    for (int g = 0; done && g < groups; g++)
        done = make_group(s, &s->group[g], error);
    if (!done) {
        block_sample_free(s);
        return false;
    }
    *sample = s;
    return true;
}

void block_sample_free(BlockSample *s)
{
    if (!s)
        return;
    for (int g = 0; g < s->groups; g++) {
        memory_free(s->group[g].records);
        memory_free(s->group[g].keys);
        memory_free(s->group[g].heap);
    }
    memory_free(s->group);
    memory_free(s->source);
    memory_free(s->changed);
    memory_free(s);
}

/* -- The heap --------------------------------------------------------------------------------- */

static void swap(Group *group, int64_t a, int64_t b)
{
    const int64_t place = group->heap[a];
    group->heap[a] = group->heap[b];
    group->heap[b] = place;
}

/* Whether the place at `a` of the heap has a larger key than that at `b`. */
static bool above(const Group *group, int64_t a, int64_t b)
{
    return group->keys[group->heap[a]] > group->keys[group->heap[b]];
}

/* Adds the place that follows the used ones to the heap. */
static int64_t push(Group *group, double key)
{
    const int64_t place = group->count++;
    group->keys[place] = key;
    group->heap[place] = place;
    for (int64_t at = place; at > 0 && above(group, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(group, at, (at - 1) / 2);
    return place;
}

/* Gives the place on top a smaller key, and lets it sink. */
static int64_t replace_top(Group *group, double key)
{
    const int64_t place = group->heap[0];
    group->keys[place] = key;
    for (int64_t at = 0, child; (child = 2 * at + 1) < group->count; at = child) {
        if (child + 1 < group->count && above(group, child + 1, child))
            child++;
        if (!above(group, child, at))
            break;
        swap(group, at, child);
    }
    return place;
}

/* -- Offers ----------------------------------------------------------------------------------- */

/* The place that a block with this key gets; NOWHERE: the group does not take it. */
static int64_t place_for(const BlockSample *s, Group *group, double key)
{
    if (group->count < s->capacity)
        return push(group, key);
    return key < group->keys[group->heap[0]] ? replace_top(group, key) : NOWHERE;
}

/* 53 bits of two words. */
static double key_of(const uint32_t words[2])
{
    return (double)((uint64_t)words[0] << 21 | words[1] >> 11);
}

/* Goes through the keys of all blocks of an offer. Returns the number of places that change. */
static int64_t choose(BlockSample *s, Group *group, const BlockOffer *offer)
{
    const int64_t per_image = (int64_t)s->blocks * s->blocks;
    int64_t changes = 0;
    for (int image = 0; image < offer->images; image++) {
        const RandomKey key = {.seed = offer->seed,
                               .purpose = RANDOM_BLOCK,
                               .substream = offer->substream,
                               .step = offer->step,
                               .sample = offer->first + (uint32_t)image};
        uint32_t words[4];
        for (int64_t block = 0; block < per_image; block++) {
            if (block % 2 == 0)
                random_block(key, (uint32_t)(block / 2), words);
            const int64_t place = place_for(s, group, key_of(words + 2 * (block % 2)));
            if (place == NOWHERE)
                continue;
            if (s->source[place] == NOWHERE)
                s->changed[changes++] = place;
            s->source[place] = image * per_image + block;
        }
    }
    return changes;
}

static int shorter(int a, int b)
{
    return a < b ? a : b;
}

/* to [rows, columns, depth] := the part of an image [side, side, depth] whose corner is (y0, x0).
 * What lies outside the image is 0. */
static void cut(const float *image, int side, int depth, int y0, int x0, int size, float *to)
{
    const int left = x0 < 0 ? -x0 : 0, right = shorter(size, side - x0);
    memset(to, 0, (size_t)(size * size * depth) * sizeof *to);
    for (int y = 0; y < size; y++)
        if (y0 + y >= 0 && y0 + y < side)
            memcpy(to + (size_t)((y * size + left) * depth),
                   image + ((size_t)(y0 + y) * (size_t)side + (size_t)(x0 + left)) * (size_t)depth,
                   (size_t)((right - left) * depth) * sizeof *to);
}

/* The record of block `number` of an offer. */
static void write_record(const BlockSample *s, const BlockOffer *offer, int64_t number, float *to)
{
    const BlockSampleShape *shape = &s->shape;
    const int64_t per_image = (int64_t)s->blocks * s->blocks, block = number % per_image;
    const size_t image = (size_t)(number / per_image);
    const size_t pixels = (size_t)shape->side * (size_t)shape->side;
    const int y = (int)(block / s->blocks) * BLOCK_SIDE, x = (int)(block % s->blocks) * BLOCK_SIDE;
    to[0] = (float)offer->t[image];
    to[1] = (float)shorter(BLOCK_SIDE, shape->side - y);
    to[2] = (float)shorter(BLOCK_SIDE, shape->side - x);
    cut(offer->features + image * pixels * (size_t)shape->features, shape->side, shape->features,
        y - 1, x - 1, BLOCK_PATCH, to + HEADER);
    cut(offer->residuals + image * pixels * (size_t)shape->channels, shape->side, shape->channels,
        y, x, BLOCK_SIDE, to + HEADER + BLOCK_PATCH * BLOCK_PATCH * shape->features);
}

void block_sample_offer(BlockSample *s, int g, const BlockOffer *offer)
{
    Group *group = &s->group[g];
    const int64_t changes = choose(s, group, offer);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < changes; i++) {
        const int64_t place = s->changed[i];
        write_record(s, offer, s->source[place], group->records + (size_t)place * s->record);
        s->source[place] = NOWHERE;
    }
}

/* -- Reading ---------------------------------------------------------------------------------- */

int64_t block_sample_count(const BlockSample *s, int group)
{
    return s->group[group].count;
}

Block block_sample_at(const BlockSample *s, int group, int64_t index)
{
    const float *record = s->group[group].records + (size_t)index * s->record;
    return (Block){
        .t = (int)record[0],
        .height = (int)record[1],
        .width = (int)record[2],
        .features = record + HEADER,
        .residuals = record + HEADER + BLOCK_PATCH * BLOCK_PATCH * s->shape.features,
    };
}

const BlockSampleShape *block_sample_shape(const BlockSample *s)
{
    return &s->shape;
}

int64_t block_sample_capacity(const BlockSample *s)
{
    return s->capacity;
}

int block_sample_groups(const BlockSample *s)
{
    return s->groups;
}

double block_sample_bytes(const BlockSample *s)
{
    return (double)s->groups * (double)s->capacity *
           ((double)s->record * sizeof(float) + sizeof(double) + sizeof(int64_t));
}

/* -- The state -------------------------------------------------------------------------------- */

size_t block_sample_record(const BlockSample *s)
{
    return s->record;
}

const float *block_sample_records(const BlockSample *s, int group)
{
    return s->group[group].records;
}

const double *block_sample_keys(const BlockSample *s, int group)
{
    return s->group[group].keys;
}

static bool is_whole(double number, double least, double most)
{
    return number >= least && number <= most && number == floor(number);
}

static bool is_record(const float *record)
{
    return is_whole((double)record[0], 1, 1e9) && is_whole((double)record[1], 1, BLOCK_SIDE) &&
           is_whole((double)record[2], 1, BLOCK_SIDE);
}

bool block_sample_set(BlockSample *s, int g, int64_t count, const float *records,
                      const double *keys, Error *error)
{
    Group *group = &s->group[g];
    if (count < 0 || count > s->capacity)
        return error_input(error, "expected at most %lld blocks of a sample, found %lld",
                           (long long)s->capacity, (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (!is_whole(keys[i], 0, key_limit - 1) || !is_record(records + (size_t)i * s->record))
            return error_input(error,
                               "block %lld of a sample: expected a key below 2^53, a "
                               "timestep, and a height and a width from 1 to %d",
                               (long long)i, BLOCK_SIDE);
    memcpy(group->records, records, (size_t)count * s->record * sizeof *records);
    group->count = 0;
    for (int64_t i = 0; i < count; i++)
        push(group, keys[i]);
    return true;
}

/* -- Two samples in one ------------------------------------------------------------------------ */

static void swap_records(const BlockSample *s, Group *group, int64_t a, int64_t b)
{
    float *one = group->records + (size_t)a * s->record;
    float *other = group->records + (size_t)b * s->record;
    for (size_t i = 0; i < s->record; i++) {
        const float kept = one[i];
        one[i] = other[i];
        other[i] = kept;
    }
}

/* Puts the blocks in the order of their keys, by heap sort. The heap holds places, and the block on
 * top goes to the last place; the place that its block came from then stands for another block. */
static void sort(const BlockSample *s, Group *group)
{
    const int64_t count = group->count;
    int64_t *rank_at = group->heap; /* becomes: the place of the i-th smallest key */
    for (; group->count > 1;) {
        const int64_t top = group->heap[0];
        group->heap[0] = group->heap[--group->count];
        replace_top(group, group->keys[group->heap[0]]);
        rank_at[group->count] = top;
    }
    group->count = count;
    for (int64_t i = 0; i < count; i++) {
        int64_t from = rank_at[i];
        while (from < i) /* its block has been moved away meanwhile */
            from = rank_at[from];
        swap_records(s, group, i, from);
        const double key = group->keys[i];
        group->keys[i] = group->keys[from];
        group->keys[from] = key;
    }
    for (int64_t i = 0; i < count; i++) /* descending, and so a heap */
        group->heap[i] = count - 1 - i;
}

void block_sample_merge(BlockSample *s, int g, int64_t count, const float *records,
                        const double *keys)
{
    Group *group = &s->group[g];
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = place_for(s, group, keys[i]);
        if (place != NOWHERE)
            memcpy(group->records + (size_t)place * s->record, records + (size_t)i * s->record,
                   s->record * sizeof *records);
    }
    sort(s, group);
}

void block_sample_clear(BlockSample *s, int g)
{
    s->group[g].count = 0;
}
