/* What is known of the pictures of a data set, besides their pixels.
 *
 * Pictures are decoded in the order of their files, and get slots 0, 1, ... Image i of the data set is
 * the picture whose name is number i in byte order, wherever an archive has it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Broken pictures that are listed by name. */
enum { PICTURE_MOST_COMPLAINTS = 10 };

typedef struct PictureIndex {
    int64_t count;
    /* [count]: the slot of image i. */
    uint32_t *slots;
    /* [count]: the class of image i; -1: it lies in no class's directory. */
    int32_t *labels;
    /* [count]: fingerprints of the images, by slot. */
    uint64_t *prints;
    /* Files that are pictures, broken ones among them. */
    int64_t files;
    /* [files]: fingerprints of their contents, in the order of the files. */
    uint64_t *sources;
    /* [classes] */
    char **class_names;
    int64_t classes;
    /* The first picture outside of the classes' directories; NULL: there is none. */
    char *outside;
    /* Pictures that are broken and were left out, and what is wrong with the first ones, as
     * "cats/1.png is truncated". */
    int64_t broken;
    /* Those of them that the system did not let read. A cache does not remember them. */
    int64_t unreadable;
    char *complaints[PICTURE_MOST_COMPLAINTS];
    /* Pictures with a colour profile, which is ignored. */
    int64_t profiles;
    /* Files that are no pictures, and the name of the first one. */
    int64_t others;
    char *first_other;
} PictureIndex;

/* Complaints that are listed. */
int picture_index_listed(const PictureIndex *index);

/* Fills in `slots`, `labels` and the classes from the names [count], which are in the order of the
 * slots. The directories that all pictures share do not count; the next one is the class of a picture.
 * Input error, with the path of the data set, if two names are the same. */
bool picture_index_sort(PictureIndex *index, char *const *names, const char *path, Error *error);

/* Fine on a zeroed struct. */
void picture_index_free(PictureIndex *index);

/* A name for messages: characters that would break a line are replaced. */
typedef struct PictureName {
    char text[256];
} PictureName;

PictureName picture_name(const char *name);
