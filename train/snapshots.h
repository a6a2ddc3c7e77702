/* Snapshots: the last checkpoint.keep periodic checkpoints, as files beside the newest.
 *
 * RUN/stage1.h5 is always the newest. With keep = 2 and every = 1000, after step 5300,
 * RUN/stage1-00004000.h5 and RUN/stage1-00005000.h5 are there too. A snapshot is a second name (a
 * hard link) of the file that was saved: it takes no time and is complete. The next checkpoint
 * replaces the first name only. On a file system without hard links a snapshot is a copy. Snapshots
 * that an earlier run left in the directory count, too. A snapshot of a later step is never removed.
 * `infer --run` does not look at snapshots; --checkpoint names one.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* Gives the checkpoint `path`, saved after `step` steps, the name of a snapshot, if its step is a
 * multiple of `every`, and removes those of earlier steps beyond the last `keep`. Nothing for keep
 * = 0. Run-time error if the file system can't. */
bool snapshots_keep(const char *path, int64_t step, int64_t every, int keep, Error *error);
