/* One process trains in a run directory at a time.
 *
 * RUN/lock is locked with flock(2) while a run goes on, and says which process that is. It is the lock that
 * counts, not the file: the kernel lets go of it when the process ends, however that happens, so that a
 * file left behind by a killed program stops nobody.
 */
#pragma once

#include "base/error.h"

typedef struct RunLock {
    char *path;
    int fd; /* -1: not held */
} RunLock;

/* Takes the lock of `directory`; an input error names the process that has it. Not held afterwards, without
 * an error, where there is no such directory yet, or where nothing can be written: nobody trains there. */
bool run_lock_take(RunLock *lock, const char *directory, Error *error);

/* Takes it where run_lock_take could not, once the directory is there. */
bool run_lock_retake(RunLock *lock, const char *directory, Error *error);

/* Takes it anew where it has been lost: its file was removed, or the directory moved away, and maybe another is
 * in its place. To be called before anything is written there. */
bool run_lock_keep(RunLock *lock, const char *directory, Error *error);

/* Lets go of it and removes the file; fine where it is not held. */
void run_lock_release(RunLock *lock);
