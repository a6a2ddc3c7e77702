/* One pass over the pictures of a directory or an archive, on all cores. */
#pragma once

#include "data/picture_fit.h"
#include "data/picture_index.h"
#include "data/picture_store.h"

typedef struct PicturePass {
    const char *path;
    const PictureRule *rule;
    OnBroken on_broken;
    /* What is taken goes there. */
    PictureIndex *index;
    PictureStore *store;
} PicturePass;

/* Decodes all pictures into the store, and fills in the index. A broken picture is left out and listed,
 * or with BROKEN_STOP an input error with its name, as is a picture that does not fit the rule. Input
 * error if there is no picture, or if two have the same name; run-time error at a signal. */
bool picture_pass_run(const PicturePass *pass, Error *error);

/* Reads all files again and decodes none. *changed := the name of the first file that is another one
 * than the index was made of, for memory_free; NULL: there is none. */
bool picture_pass_compare(const char *path, const PictureIndex *index, char **changed,
                          Error *error);
