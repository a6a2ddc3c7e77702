/* Why a file cannot be opened as an HDF5 file, in words that help.
 *
 * The library's messages mislead: of a sound file that another program has open it says "unable to
 * lock file", and a user who takes that for damage throws a checkpoint away. So we look at the file
 * ourselves: whether another program locks it, whether its first block is marked as open, and, if
 * it is no HDF5 file, what it is. */
#include "base/foreign_file.h"
#include "hdf5/hdf5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The library locks each file that it opens with flock: shared for reading, exclusive for
 * writing. */
static bool is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return locked;
}

/* Whether a program marked the file as open for writing. Version 3 of the first block (superblock)
 * has one bit for any writer and one for a writer with readers beside it (SWMR). */
static bool is_marked_open(const char *path)
{
    enum { VERSION = 8, FLAGS = 11, WRITER = 1, WRITER_WITH_READERS = 4 };
    unsigned char block[HDF5_SUPERBLOCK_BYTES];
    return hdf5_find_superblock(path, block) && block[VERSION] == 3 && block[FLAGS] != 0 &&
           (block[FLAGS] & ~(WRITER | WRITER_WITH_READERS)) == 0;
}

bool hdf5_cannot_open(const char *path, Error *error)
{
    const Hdf5Reason reason = hdf5_reason(); /* the next call would clear it */
    const bool cannot_lock = strstr(reason.text, "unable to lock file") != NULL;
    if (is_locked(path) || (cannot_lock && strstr(reason.text, "errno = 11,")))
        return error_input(
            error,
            "%s: is open in another program, which may be writing it: close it there, "
            "or wait; nothing is wrong with the file",
            path);
    if (cannot_lock)
        return error_input(
            error,
            "%s: its file system has no locks (%s); with HDF5_USE_FILE_LOCKING=FALSE "
            "in the environment it is read without",
            path, reason.text);
    if (is_marked_open(path) &&
        !strstr(reason.text, "checksum")) /* the mark itself may be the damage */
        return error_input(error,
                           "%s: is open for writing in another program, or that program was killed "
                           "before it closed the file; if none is running, `h5clear -s` takes the "
                           "mark away",
                           path);
    return error_input(error, "%s: is a damaged or truncated HDF5 file (%s)", path, reason.text);
}

bool hdf5_is_no_hdf5(const char *path, Error *error)
{
    const ForeignKind kind = foreign_kind_of(path);
    if (kind.text[0] == '\0')
        return error_input(error, "%s: is not an HDF5 file", path);
    if (strncmp(kind.text, "text,", 5) == 0)
        return error_input(error, "%s: is not an HDF5 file, but %s", path, kind.text);
    return error_input(error, "%s: is %s, expected an HDF5 file", path, kind.text);
}
