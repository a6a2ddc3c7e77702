/* Moves from memory to the cache at a limit, and back where the cache fails. */
#include "data/picture_store.h"

#include "base/memory.h"
#include "base/note.h"
#include "data/cache_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The share of the machine's memory that images may take. */
static const double memory_share = 0.8;

struct PictureStore {
    const PictureStorePlan *plan;
    size_t image_size;
    int64_t count;
    /* [capacity, image]: all images; NULL where they are in the cache. */
    uint8_t *pixels;
    int64_t capacity;
    /* NULL: images are in memory. */
    PictureCacheWriter *writer;
    /* Whether images stay in memory, whatever comes. */
    bool stays;
    /* Why they do, for messages; "" where nobody knows. */
    char reason[512];
};

PictureStore *picture_store_new(const PictureStorePlan *plan)
{
    PictureStore *store = memory_small(1, sizeof *store);
    const size_t side = (size_t)plan->key.resolution;
    *store = (PictureStore){.plan = plan,
                            .image_size = side * side * (size_t)plan->key.channels,
                            .stays = plan->cache == DATA_CACHE_NEVER || !cache_place().directory};
    if (plan->cache != DATA_CACHE_NEVER && !cache_place().directory)
        snprintf(
            store->reason, sizeof store->reason,
            "without the directory of a run there is no cache; infer data takes one by --cache");
    return store;
}

/* -- Memory ------------------------------------------------------------------------------------ */

static bool too_much(const PictureStore *store, Error *error)
{
    return error_runtime(error, "%s: its images need more memory than this machine has%s%s%s",
                         store->plan->path, store->reason[0] ? " (" : "", store->reason,
                         store->reason[0] ? ")" : "");
}

/* Makes room in memory for n images more. */
static bool grow(PictureStore *store, int64_t n, Error *error)
{
    const int64_t needed = store->count + n, grown = store->capacity + store->capacity / 2 + n;
    if (needed <= store->capacity)
        return true;
    const double possible = memory_share * memory_of_machine() / (double)store->image_size;
    const int64_t capacity = (double)grown > possible ? needed : grown;
    if ((double)capacity > possible)
        return too_much(store, error);
    uint8_t *pixels = realloc(store->pixels, (size_t)capacity * store->image_size);
    if (!pixels)
        return too_much(store, error);
    store->pixels = pixels;
    store->capacity = capacity;
    return true;
}

/* -- Between memory and cache ------------------------------------------------------------------ */

static void stay_in_memory(PictureStore *store, const Error *reason)
{
    note("%s: its images stay in memory, since no cache can be kept: %s", store->plan->path,
         reason->message);
    snprintf(store->reason, sizeof store->reason, "no cache can be kept: %.480s", reason->message);
    store->stays = true;
}

/* Reads what the cache has into memory, and removes it. */
static bool return_to_memory(PictureStore *store, const Error *reason, Error *error)
{
    const int64_t count = store->count;
    stay_in_memory(store, reason);
    store->count = 0;
    const bool ok = grow(store, count, error) &&
                    picture_cache_read_back(store->writer, 0, count, store->pixels, error);
    store->count = count;
    picture_cache_abandon(store->writer);
    store->writer = NULL;
    return ok;
}

/* Begins the cache with the images that memory has. */
static void move_to_cache(PictureStore *store)
{
    Error reason;
    const double limit = store->plan->limit * (1 << 30);
    if (!picture_cache_begin(&store->writer, cache_place().directory, &store->plan->key, limit,
                             &reason)) {
        stay_in_memory(store, &reason);
        return;
    }
    if (!picture_cache_add(store->writer, store->pixels, store->count, &reason)) {
        picture_cache_abandon(store->writer);
        store->writer = NULL;
        stay_in_memory(store, &reason);
        return;
    }
    free(store->pixels);
    store->pixels = NULL;
    store->capacity = 0;
}

bool picture_store_add(PictureStore *store, const uint8_t *images, int64_t n, Error *error)
{
    Error reason;
    if (store->writer && !picture_cache_add(store->writer, images, n, &reason) &&
        !return_to_memory(store, &reason, error))
        return false;
    if (!store->writer) {
        if (!grow(store, n, error))
            return false;
        memcpy(store->pixels + (size_t)store->count * store->image_size, images,
               (size_t)n * store->image_size);
    }
    store->count += n;
    const double bytes = (double)store->count * (double)store->image_size;
    const bool is_large =
        store->plan->cache == DATA_CACHE_ALWAYS || bytes > (double)cache_place().small;
    if (!store->writer && !store->stays && is_large)
        move_to_cache(store);
    return true;
}

/* -- The end ----------------------------------------------------------------------------------- */

bool picture_store_finish(PictureStore *store, const PictureIndex *index, const char *spoiled,
                          uint8_t **pixels, int *fd, Error *error)
{
    Error reason = {0};
    *pixels = NULL;
    *fd = -1;
    if (store->writer && spoiled)
        error_runtime(&reason, "%s", spoiled);
    if (store->writer && !spoiled && picture_cache_commit(store->writer, index, fd, &reason)) {
        store->writer = NULL;
        note("%s: its images are in a cache, %.3g GiB in %s", store->plan->path,
             (double)store->count * (double)store->image_size / (1 << 30), cache_place().directory);
    }
    if (store->writer && !return_to_memory(store, &reason, error))
        return false;
    *pixels = store->pixels;
    store->pixels = NULL;
    picture_store_free(store);
    return true;
}

void picture_store_free(PictureStore *store)
{
    if (store == NULL)
        return;
    picture_cache_abandon(store->writer);
    free(store->pixels);
    memory_free(store);
}
