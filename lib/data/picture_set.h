/* All pictures of a directory or an archive as the images of a data set.
 *
 * The order is the byte order of the names, whatever the order in an archive. A small set is decoded
 * into memory whenever it is opened. A large one is decoded once, into a cache in the directory that the
 * program named (data/cache_place.h), and read from there.
 */
#pragma once

#include "base/error.h"
#include "data/picture_fit.h"
#include "data/picture_index.h"

#include <stdint.h>

/* How a set is opened. */
typedef struct PictureSetOptions {
    /* Must live as long as the set, like the path. */
    const PictureRule *rule;
    OnBroken on_broken;
    DataCache cache;
    /* GiB of the cache. */
    double cache_limit;
} PictureSetOptions;

typedef struct PictureSet {
    const char *path;
    PictureSetOptions options;
    size_t image_size;
    PictureIndex index;
    /* [count, resolution, resolution, channels], by slot; NULL: they are in the cache. */
    uint8_t *pixels;
    /* The cache; -1: there is none. */
    int fd;
} PictureSet;

/* The smaller side of the first picture of `path` that is not broken, and its channels without alpha:
 * 1 or 3. */
bool picture_set_shape(int *resolution, int *channels, const char *path, Error *error);

/* Opens the cache of these pictures, or decodes them on all cores. A broken picture is left out and
 * listed where on_broken says so; else it is an input error with its name, as is a picture that does
 * not fit the rule. Input error if there is no picture, or if two have the same name. Run-time error if
 * the images need more memory than the machine has, or at a signal. Notes say what is left out, and why
 * a cache is not used or cannot be kept. The caller frees the set, after a failure too. */
bool picture_set_open(PictureSet *set, const char *path, const PictureSetOptions *options,
                      Error *error);

/* images [n, image_size] := the images `indices` [n], which are in range. If the cache has been damaged
 * meanwhile, the pictures are decoded again. Run-time error if they are other ones by now. */
bool picture_set_read(PictureSet *set, const int64_t *indices, int n, uint8_t *images,
                      Error *error);

/* Tells the system that these images will be read soon. */
void picture_set_expect(const PictureSet *set, const int64_t *indices, int n);

/* Compares the bytes of all files with those that the set was made of, and reads every image. If a file
 * was changed under the same size and time, that is an input error with its name, and the cache is
 * removed, so that the next command makes it anew. */
bool picture_set_verify(PictureSet *set, Error *error);

/* labels [count] := the number of each picture's class, in the byte order of their names. Input error
 * if a picture lies in no class's directory. */
bool picture_set_labels(const PictureSet *set, int64_t *labels, Error *error);

/* Fine on a zeroed struct. */
void picture_set_free(PictureSet *set);
