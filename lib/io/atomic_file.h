/* Files that are replaced as a whole or not at all.
 *
 * The new content goes to a temporary file in the same directory. Committing forces it to the
 * disk, renames it over the old one and forces the directory, in that order: a crash at any
 * instant, of the program or of the machine, leaves the old complete file or the new complete
 * one. The temporary is named after its process, so that two programs writing the same file
 * never mix; one that a killed program left behind is removed by the next that writes there.
 *
 * A symbolic link in the place of the file is replaced, never followed.
 */
#pragma once

#include "base/error.h"

typedef struct AtomicFile {
    char *path;
    char *temporary; /* NULL once committed or abandoned */
    int fd;          /* open for reading and writing; commit and abandon close it */
} AtomicFile;

/* Creates the temporary file. Input error if `path` is something that must not be replaced (a
 * directory, a device), run-time error if the system refuses. A process must not write the
 * same path twice at a time. */
bool atomic_file_begin(AtomicFile *file, const char *path, Error *error);

/* Puts the new content in place. On failure the temporary is gone and the old file as it
 * was, unless all that failed was to force the directory to the disk. Either way nothing is left to release. */
bool atomic_file_commit(AtomicFile *file, Error *error);

/* Gives the file `path` the further name `name`, in place of what has that name, and forces the directory to the
 * disk. Run-time error if the system refuses. */
bool atomic_file_link(const char *path, const char *name, Error *error);

/* Removes the temporary file; fine after a commit, or on a zeroed struct, too. */
void atomic_file_abandon(AtomicFile *file);
