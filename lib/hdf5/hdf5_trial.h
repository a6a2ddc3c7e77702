/* Tries a file out in a child process.
 *
 * The HDF5 library (1.10.8 at least) crashes on some damaged files: it frees pointers that it never
 * set and follows lengths that it never checked. We cannot check the file first, because only the
 * library can parse it. Instead a child process reads everything once. If the child crashes, the
 * file is reported as damaged.
 *
 * This keeps crashes and endless loops away from our programs. It does not protect against files
 * made to attack: the child has the rights of its parent.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Calls work(context) in a child process. Input error, which names the file `path`, if the child
 * dies, or takes `patience` seconds of processor time (HDF5_TRIAL_SECONDS, less in tests) between
 * calls of hdf5_trial_goes_on. The results of `work` are lost: afterwards the caller can do the
 * same in its own process. */
bool hdf5_trial(const char *path, int patience, void (*work)(void *context), void *context,
                Error *error);

/* Turns trials on or off for the whole process, and returns the former choice; at first they are
 * on. A library in the process of another program must not fork unasked: it turns trials off and
 * trusts the file. */
bool hdf5_trial_wanted(bool wanted);

/* Called by `work` after each part, so that a large file is not taken for one that hangs. Does
 * nothing outside a trial. */
void hdf5_trial_goes_on(void);

/* The usual work: reads the whole file `path`, a string. Contiguous, unfiltered arrays cannot crash
 * the library, so only their first elements are read. Of every other array at most HDF5_TRIAL_LIMIT
 * bytes are read. */
void hdf5_trial_read(void *path);

enum {
    /* Bytes of a data set in memory. */
    HDF5_TRIAL_LIMIT = 1 << 30,
    /* Seconds of processor time for one part, which is at most 16 MB of numbers. */
    HDF5_TRIAL_SECONDS = 5,
    /* Megabytes of memory that a child may take besides twice the size of the file, of which it may
     * make a copy. */
    HDF5_TRIAL_MEGABYTES = 1024,
};
