/* Files that are replaced as a whole or not at all.
 *
 * The new content goes to a temporary file in the same directory. Committing forces it to the
 * disk, renames it over the old one and forces the directory, in that order: a crash at any
 * instant, of the program or of the machine, leaves the old complete file or the new complete
 * one. The temporary has a name of its own and is locked while it is written (flock), so that two
 * programs writing the same file never mix, on one machine or on several; one that a killed program
 * left behind has no lock, and is removed by the next that writes there.
 *
 * Where the name is a symbolic link, the file that it leads to is written and the link stays.
 *
 * What may be replaced is a rule that the caller gives (io/file_kind.h). It is asked at the beginning and
 * again before the new content gets the name, since hours may lie between.
 */
#pragma once

#include "base/error.h"

#include <sys/stat.h>

/* Says whether the file `path`, if there is one, may be replaced; if not, an input error says what it is. */
typedef struct AtomicRule {
    bool (*allows)(const char *path, int kind, Error *error); /* NULL: anything may */
    int kind;                                                 /* for it */
} AtomicRule;

static const AtomicRule atomic_anything = {0};

typedef struct AtomicFile {
    char *path;      /* as given */
    char *target;    /* the file that it leads to */
    char *temporary; /* NULL once committed or abandoned */
    int fd;          /* open for reading and writing, locked; commit and abandon close it */
    AtomicRule rule;
    struct stat source; /* see atomic_file_made_from */
    bool has_source;
    bool overtaken; /* still there after a commit */
} AtomicFile;

/* Creates the temporary file. Input error if `path` is something that must not be replaced (a
 * directory, a device, what the rule forbids), run-time error if the system refuses. */
bool atomic_file_begin(AtomicFile *file, const char *path, AtomicRule rule, Error *error);

/* Whether it could be created, and replace what is there: to be asked before the work whose result goes there. */
bool atomic_file_possible(const char *path, AtomicRule rule, Error *error);

/* The new content is made from the file that fstat has said `source` of, which must stay open until the commit:
 * where another has its name by then, the commit fails and sets `overtaken`, and that other file stays. */
void atomic_file_made_from(AtomicFile *file, const struct stat *source);

/* Puts the new content in place. On failure the temporary is gone and the old file as it
 * was, unless all that failed was to force the directory to the disk; where the rule has come to forbid it, the new
 * content stays under another name, which the error gives. Either way nothing is left to release. */
bool atomic_file_commit(AtomicFile *file, Error *error);

/* Gives the file `path` the further name `name`, in place of what has that name, and forces the directory to the
 * disk. Input error if the rule forbids it, run-time error if the system refuses. */
bool atomic_file_link(const char *path, const char *name, AtomicRule rule, Error *error);

/* Removes the temporary file; fine after a commit, or on a zeroed struct, too. */
void atomic_file_abandon(AtomicFile *file);

/* -- Names of what is not finished ------------------------------------------------------------- */

/* "PATH.tmp-abcdefgh", with other letters each time. Caller frees. */
char *atomic_temporary_name(const char *path);

/* Whether `name` is such a name for `base`, both without directories. */
bool atomic_is_temporary(const char *name, const char *base);

/* Locks an open file or directory, as who writes it does. False where somebody else has the lock; *unknown where the
 * file system has no locks (NULL: that counts as locked). */
bool atomic_lock(int fd, bool *unknown);

/* "b.h5" is the base of "a/b.h5"; the directory, "a", is the caller's to free. */
char *atomic_directory_of(const char *path, const char **base);
