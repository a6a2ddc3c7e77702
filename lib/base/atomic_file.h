/* Files that are replaced as a whole or not at all.
 *
 *     AtomicFile file;
 *     if (!atomic_file_begin(&file, "a.csv", atomic_anything, error))
 *         return false;
 *     ... write to file.fd; if that fails, atomic_file_abandon(&file) ...
 *     return atomic_file_commit(&file, error);
 *
 * The new content goes to a temporary file in the same directory. Committing forces it to the disk,
 * renames it over the old file and forces the directory to the disk, in that order. So a crash at
 * any instant, of the program or of the machine, leaves the complete old file or the complete new
 * one. The temporary has a random name and is locked while it is written (flock), so that two
 * programs that write the same file never mix, on one machine or on several. A temporary that a
 * killed program left behind has no lock; the next program that writes the file removes it.
 *
 * If the name is a symbolic link, the file that it leads to is written and the link stays.
 *
 * The caller gives a rule that says which files may be replaced (io/file_kind.h). It is asked at
 * the beginning and again before the rename, since hours may lie between.
 */
#pragma once

#include "base/error.h"

#include <sys/stat.h>

/* Which files may be replaced. */
typedef struct AtomicRule {
    /* Whether the file `path`, if there is one, may be replaced; the input error says what the file
     * is. NULL: any file may be replaced. */
    bool (*allows)(const char *path, int kind, Error *error);
    /* The argument of `allows`. */
    int kind;
    /* Whether each process of a group writes the file (base/group.h). Otherwise the first one does,
     * and the others write to a file without a name, which vanishes. */
    bool by_each;
} AtomicRule;

static const AtomicRule atomic_anything = {0};

typedef struct AtomicFile {
    /* As given. */
    char *path;
    /* The file that the path leads to. */
    char *target;
    /* NULL once committed or abandoned. */
    char *temporary;
    /* The temporary, open for reading and writing, locked. Commit and abandon close it. */
    int fd;
    AtomicRule rule;
    /* See atomic_file_made_from. */
    struct stat source;
    bool has_source;
    /* Remains set after a commit. */
    bool overtaken;
} AtomicFile;

/* Creates the temporary file. Input error if `path` must not be replaced (it is a directory or a
 * device, or the rule forbids it), run-time error if the system refuses. */
bool atomic_file_begin(AtomicFile *file, const char *path, AtomicRule rule, Error *error);

/* Whether atomic_file_begin would succeed: to be asked before the work whose result goes to
 * `path`. */
bool atomic_file_possible(const char *path, AtomicRule rule, Error *error);

/* Declares that the new content is made from the file with the status `source` (fstat), which must
 * stay open until the commit. If another file has got the name by then, the commit fails and sets
 * `overtaken`, and that file stays. */
void atomic_file_made_from(AtomicFile *file, const struct stat *source);

/* Puts the new content in place. After a failure the temporary is gone and the old file is as it
 * was, with two exceptions: if only forcing the directory to the disk failed, the new file is in
 * place; if the rule forbids the replacement by now, the new content stays under another name,
 * which the error gives. Releases the file either way. */
bool atomic_file_commit(AtomicFile *file, Error *error);

/* Gives the file `path` the further name `name`, which another file loses if the rule allows it,
 * and forces the directory to the disk. Input error if the rule forbids it, run-time error if the
 * system refuses. */
bool atomic_file_link(const char *path, const char *name, AtomicRule rule, Error *error);

/* Removes the temporary file. Fine after a commit and on a zeroed struct. */
void atomic_file_abandon(AtomicFile *file);

/* -- Temporaries ------------------------------------------------------------------------------- */

/* "PATH.tmp-abcdefgh", with random letters. Caller frees. */
char *atomic_temporary_name(const char *path);

/* Whether `name` is such a name for `base`, both without directories. */
bool atomic_is_temporary(const char *name, const char *base);

/* Locks an open file or directory, as the program that writes it does. False if another program has
 * the lock. *unknown becomes whether the file system has no locks; if `unknown` is NULL, that
 * counts as locked. */
bool atomic_lock(int fd, bool *unknown);

/* "a" for "a/b.h5", which the caller frees; *base becomes "b.h5", a part of `path`. */
char *atomic_directory_of(const char *path, const char **base);
