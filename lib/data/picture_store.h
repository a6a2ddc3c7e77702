/* Images on their way from the decoders: in memory while they are few, in a cache when they are many.
 */
#pragma once

#include "config/config.h"
#include "data/picture_cache.h"

typedef struct PictureStore PictureStore;

/* What a store needs to know. */
typedef struct PictureStorePlan {
    /* For messages: the data set. */
    const char *path;
    DataCache cache;
    /* GiB. */
    double limit;
    PictureCacheKey key;
} PictureStorePlan;

/* Frees nothing of the plan, which must outlive the store. Nothing is written yet. */
PictureStore *picture_store_new(const PictureStorePlan *plan);

/* Appends images [n]. If the cache cannot be written, a note says so, and the images stay in memory;
 * run-time error if they need more than the machine has. */
bool picture_store_add(PictureStore *store, const uint8_t *images, int64_t n, Error *error);

/* Hands the images over: *pixels [count, image], for memory_free, or a cache *fd, which the caller
 * closes. Frees the store, unless it fails. The cache is kept unless `spoiled` says why not. */
bool picture_store_finish(PictureStore *store, const PictureIndex *index, const char *spoiled,
                          uint8_t **pixels, int *fd, Error *error);

/* NULL is fine. */
void picture_store_free(PictureStore *store);
