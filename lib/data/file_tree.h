/* The regular files of a directory and of all directories in it. */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct FileTree {
    /* [count]: names below the directory, "cats/1.png", in byte order. */
    char **names;
    int64_t count, capacity;
} FileTree;

/* Lists the files of `path`, without hidden ones (whose name, or a directory's, begins with a point)
 * and without the folder __MACOSX. Links are followed, but not back into a directory that they lie
 * in. Input error if a directory cannot be read, or links lead to very many; run-time error at a
 * signal. The caller frees the tree. */
bool file_tree_read(FileTree *tree, const char *path, Error *error);

/* Fine on a zeroed struct. */
void file_tree_free(FileTree *tree);

/* Whether a file of that name, with its directories, is left out as hidden. */
bool file_tree_hides(const char *name);
