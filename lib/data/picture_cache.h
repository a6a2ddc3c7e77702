/* A file of decoded pictures, RUN/data-KEY.cache.
 *
 *     page 0              the mark of the format, the counts, and a fingerprint of them
 *     images              uint8 [count, resolution, resolution, channels], in the order of the slots
 *     index               the arrays and texts of a PictureIndex, and a fingerprint of them
 *
 * Numbers are those of the machine that wrote them: another machine makes a cache of its own. KEY is a
 * number made of the state of the directory or the archive (data/picture_files.h) and of the rule by
 * which pictures become images. So a picture that was added or changed leads to another file, and the
 * cache that it replaces is removed. The file is written beside its name, forced to the disk and
 * renamed: a pass that was killed leaves nothing that could be taken for a cache.
 */
#pragma once

#include "base/error.h"
#include "data/picture_index.h"

#include <stddef.h>
#include <stdint.h>

/* Which pictures, as which images. */
typedef struct PictureCacheKey {
    /* Made of everything that the images depend on. */
    uint64_t key;
    /* Made of the path and of the rule alone: a new cache takes the place of an old one with the same
     * number. */
    uint64_t place;
    int resolution, channels;
} PictureCacheKey;

/* -- Writing ----------------------------------------------------------------------------------- */

typedef struct PictureCacheWriter PictureCacheWriter;

/* Begins the file in `directory`, which is made if it is not there, and removes what killed passes left
 * there. `limit`: bytes of the file. Input error if a file that varhead has not written is in the way,
 * run-time error if nothing can be written. */
bool picture_cache_begin(PictureCacheWriter **writer, const char *directory,
                         const PictureCacheKey *key, double limit, Error *error);

/* Appends images [n]. Run-time error if the disk is full or the limit is reached. */
bool picture_cache_add(PictureCacheWriter *writer, const uint8_t *images, int64_t n, Error *error);

/* images [n] := the images from slot `first` on, which were added. */
bool picture_cache_read_back(const PictureCacheWriter *writer, int64_t first, int64_t n,
                             uint8_t *images, Error *error);

/* Writes the index, puts the file in place, and removes older caches of the same place. *fd becomes the
 * file, for picture_cache_read; the caller closes it. Frees the writer, unless it fails. */
bool picture_cache_commit(PictureCacheWriter *writer, const PictureIndex *index, int *fd,
                          Error *error);

/* Removes what was written, and frees the writer; NULL is fine. */
void picture_cache_abandon(PictureCacheWriter *writer);

/* -- Reading ----------------------------------------------------------------------------------- */

typedef enum CacheState { CACHE_ABSENT, CACHE_DAMAGED, CACHE_FOUND } CacheState;

/* The path of the cache of a key, for memory_free. */
char *picture_cache_path(const char *directory, uint64_t key);

/* Opens the cache `path` and reads its index, which the caller frees; *fd becomes the file. Anything
 * but a whole cache of this key is damaged. */
CacheState picture_cache_open(const char *path, const PictureCacheKey *key, PictureIndex *index,
                              int *fd);

/* images [n, image_size] := the images of the slots. False if they cannot be read, or are other ones
 * than were written. */
bool picture_cache_read(int fd, const PictureIndex *index, size_t image_size, const uint32_t *slots,
                        int n, uint8_t *images);

/* Tells the system that these images will be read soon. */
void picture_cache_expect(int fd, size_t image_size, const uint32_t *slots, int n);
