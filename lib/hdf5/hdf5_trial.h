/* Trying a file out in a process of its own.
 *
 * The HDF5 library (1.10.8 at the least) crashes on some damaged files: it frees what it never set, follows
 * lengths that it never checked. No check of ours can come before, since it is the library that finds out
 * what is in a file. So whatever is in it is read once by a child process, as we would read it, before
 * the file is opened here; where the child dies, the file is refused in one line like any other damaged one.
 *
 * This keeps crashes and endless loops away from our programs. It is no wall against files made to attack:
 * the child has the rights of its parent.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Does `work` in a child process; an input error, which names the file `path`, if the child dies of it, or takes
 * `patience` seconds of processor time (HDF5_TRIAL_SECONDS, less in tests) without a call of hdf5_trial_goes_on. What
 * else may be wrong with the file, the caller will find out in peace. */
bool hdf5_trial(const char *path, int patience, void (*work)(void *context), void *context,
                Error *error);

/* Whether files are tried out at all; at first they are. Returns what was before. A library in the process of another
 * program must not fork unasked: it turns trials off, and trusts the file. */
bool hdf5_trial_wanted(bool wanted);

/* Said by `work` whenever it has done a part: a large file is not taken for one that hangs. Fine elsewhere. */
void hdf5_trial_goes_on(void);

/* The usual work: reads all that is in the file `path`, a string. Numbers that lie in one piece and as they
 * are, with which nothing can go wrong, are left out but for a few; of others at most HDF5_TRIAL_LIMIT bytes
 * of each data set are read. */
void hdf5_trial_read(void *path);

enum {
    /* Bytes of a data set in memory. */
    HDF5_TRIAL_LIMIT = 1 << 30,
    /* Of processor time for one part, at most 16 MB of numbers. */
    HDF5_TRIAL_SECONDS = 5,
    /* Of memory, and besides twice what the file has: a copy is made there. */
    HDF5_TRIAL_MEGABYTES = 1024,
};
