/* Where programs keep decoded pictures: the directory of a run.
 *
 * The readers of data sets know of no runs. A program says here which directory its run has, before
 * it opens a data set. Where nobody has said it, as in a program that uses the library, pictures stay
 * in memory and nothing is written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bytes of images that stay in memory under data.cache: auto. */
enum { CACHE_SMALL = 1 << 26 };

typedef struct CachePlace {
    /* NULL: there is none. */
    const char *directory;
    /* Bytes of images that stay in memory: CACHE_SMALL, less in tests. */
    int64_t small;
    /* Whether the decoding of pictures shows its progress. */
    bool shows_progress;
} CachePlace;

/* The name is copied; NULL: no cache, as at the start. To be called while no other thread uses the
 * library. */
void cache_place_set(const char *directory, bool shows_progress);

/* For tests. */
void cache_place_set_small(int64_t small);

CachePlace cache_place(void);
