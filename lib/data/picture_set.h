/* All pictures of a directory or an archive as the images of a data set, in memory.
 *
 * The order is the byte order of the names, whatever the order in an archive. The directories that all
 * pictures share do not count; the next one is the class of a picture.
 */
#pragma once

#include "base/error.h"
#include "data/picture_fit.h"

#include <stdint.h>

typedef struct PictureSet {
    /* [count]: names, in byte order. */
    char **names;
    /* [count]: where image i lies in `pixels`. */
    uint32_t *slots;
    /* [count, resolution, resolution, channels] */
    uint8_t *pixels;
    int64_t count, capacity;
    /* Pictures that are broken and were left out, and pictures with a colour profile, which is
     * ignored. */
    int64_t broken, profiles;
    /* Files that are no pictures, and the name of the first one, for memory_free. */
    int64_t others;
    char *first_other;
} PictureSet;

/* The smaller side of the first picture of `path` that is not broken, and its channels without alpha:
 * 1 or 3. */
bool picture_set_shape(int *resolution, int *channels, const char *path, Error *error);

/* Decodes all pictures of `path` on all cores. A broken picture is left out, with a note for each of
 * the first ones, where on_broken says so; else it is an input error with its name, as is a picture
 * that does not fit the rule. Input error if there is no picture, or if two have the same name.
 * Run-time error if the images need more memory than the machine has, or at a signal. The caller frees
 * the set. */
bool picture_set_read(PictureSet *set, const char *path, const PictureRule *rule,
                      OnBroken on_broken, Error *error);

/* Fine on a zeroed struct. */
void picture_set_free(PictureSet *set);

/* labels [count] := the number of each picture's class, in the byte order of their names. Input error,
 * with the path of the set, if a picture lies in no class's directory. */
bool picture_set_labels(const PictureSet *set, const char *path, int64_t *labels, Error *error);
