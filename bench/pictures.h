/* How fast pictures become images, beside the speed of the libraries that decode them. */
#pragma once

#include "base/error.h"

typedef struct PicturesTask {
    /* Pictures of a pass, passes that are timed after one that is not, and threads; 0 threads: all
     * cores. */
    int pictures, steps, threads;
} PicturesTask;

/* Prints a table on stdout, for one thread and for all. Each row is timed in turn with its ceiling:
 *
 *     decoded         the bytes of the files in memory become pixels; ceiling: libjpeg or libpng alone
 *     into a cache    the whole pass over a directory: files are read, decoded, cut, shrunk, and written
 *                     as images of 64x64 to a cache; ceiling: libjpeg or libpng alone, on all threads
 *     read            images of a cache in random order; ceiling: the same bytes read by pread alone
 *
 * `ratio` is the time of the row over the time of its ceiling, and `processor` is the processor time of
 * the row over the processor time of its ceiling.
 *
 * The files lie in a temporary directory ($TMPDIR or /tmp), which is removed. Run-time error if
 * nothing can be written there. */
bool pictures_print(const PicturesTask *task, Error *error);
