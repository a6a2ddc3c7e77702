/* Lets only one process at a time train in a run directory.
 *
 * While a run goes on, RUN/lock is locked with flock(2) and holds the number of the process. The
 * lock counts, not the file: the kernel releases it when the process ends in any way, so that a
 * file left by a killed program does no harm.
 */
#pragma once

#include "base/error.h"

typedef struct RunLock {
    char *path;
    /* -1: not held. */
    int fd;
} RunLock;

/* Takes the lock of `directory`. Input error if another process has it, which the error names, and if
 * RUN/lock can't be opened. If the directory does not exist yet, or cannot be written to, there is no
 * error and the lock is not held: no process can train there. */
bool run_lock_take(RunLock *lock, const char *directory, Error *error);

/* Takes the lock again, after the directory was made. */
bool run_lock_retake(RunLock *lock, const char *directory, Error *error);

/* Takes the lock again if it was lost: its file was removed, or the directory was moved away and
 * another may be in its place. To be called before anything is written to the directory. */
bool run_lock_keep(RunLock *lock, const char *directory, Error *error);

/* Releases the lock and removes its file. Fine if it is not held. */
void run_lock_release(RunLock *lock);
