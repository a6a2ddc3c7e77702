#include "io/atomic_file.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char temporary_mark[] = ".tmp-"; /* a process id follows */

/* "a/b.h5" is "b.h5" in "a"; the caller frees the directory's name. */
static char *directory_of(const char *path, const char **base)
{
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    if (slash == NULL)
        return memory_string(".");
    if (slash == path)
        return memory_string("/");
    return memory_format("%.*s", (int)(slash - path), path);
}

/* Whether `name` is a temporary of `base` whose process has ended. */
static bool is_stale(const char *name, const char *base)
{
    size_t length = strlen(base);
    size_t mark = sizeof temporary_mark - 1;
    if (strncmp(name, base, length) != 0 || strncmp(name + length, temporary_mark, mark) != 0)
        return false;

    const char *digits = name + length + mark;
    char *end = NULL;
    long process = strtol(digits, &end, 10);
    if (digits[0] < '1' || digits[0] > '9' || *end != '\0' || (pid_t)process != process)
        return false;
    return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* Killed programs must not fill the disk with halves of checkpoints. Failing here is harmless. */
static void remove_stale(const char *path)
{
    const char *base = NULL;
    char *directory = directory_of(path, &base);
    DIR *entries = opendir(directory);
    if (entries != NULL) {
        for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
            if (is_stale(entry->d_name, base))
                (void)unlinkat(dirfd(entries), entry->d_name, 0);
        closedir(entries);
    }
    memory_free(directory);
}

/* A rename would replace a directory's or a device's name: nobody means that. */
static bool check_target(const char *path, Error *error)
{
    struct stat status;
    size_t length = strlen(path);
    if (length == 0)
        return error_input(error, "no file name given to write to");
    if (path[length - 1] == '/')
        return error_input(error, "%s: is the name of a directory, expected that of a file", path);
    if (stat(path, &status) != 0)
        return true;
    if (S_ISDIR(status.st_mode))
        return error_input(error, "%s: is a directory, expected the name of a file", path);
    if (!S_ISREG(status.st_mode))
        return error_input(error, "%s: is no regular file and can't be replaced", path);
    return true;
}

bool atomic_file_begin(AtomicFile *file, const char *path, Error *error)
{
    *file = (AtomicFile){.fd = -1};
    if (!check_target(path, error))
        return false;
    remove_stale(path);

    file->path = memory_string(path);
    file->temporary = memory_format("%s%s%ld", path, temporary_mark, (long)getpid());
    /* Exclusive: what has the name of this process's temporary is from an earlier process of the
     * same number, or was put there to be written through. */
    for (int attempt = 0; attempt < 2 && file->fd < 0; attempt++) {
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno == EEXIST)
            (void)unlink(file->temporary);
    }
    if (file->fd >= 0)
        return true;

    error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
    memory_free(file->temporary);
    file->temporary = NULL;
    atomic_file_abandon(file);
    return false;
}

/* The rename itself survives a power failure only when the directory is on the disk. */
static bool sync_directory(const char *path)
{
    const char *base = NULL;
    char *directory = directory_of(path, &base);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memory_free(directory);
    if (fd < 0)
        return errno == EACCES; /* a directory may be writable and not readable */
    bool ok = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP; /* some systems can't */
    int reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

bool atomic_file_commit(AtomicFile *file, Error *error)
{
    bool ok = fsync(file->fd) == 0;
    if (ok) {
        ok = close(file->fd) == 0;
        file->fd = -1;
    }
    ok = ok && rename(file->temporary, file->path) == 0;
    if (ok) {
        memory_free(file->temporary);
        file->temporary = NULL;
        ok = sync_directory(file->path);
    }
    if (!ok)
        error_runtime(error, "%s: cannot be written: %s", file->path, strerror(errno));
    atomic_file_abandon(file);
    return ok;
}

void atomic_file_abandon(AtomicFile *file)
{
    if (file->path == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->temporary != NULL)
        (void)unlink(file->temporary);
    memory_free(file->temporary);
    memory_free(file->path);
    *file = (AtomicFile){.fd = -1};
}

/* There is no temporary, which a kill could leave. */
bool atomic_file_link(const char *path, const char *name, Error *error)
{
    struct stat file, old;
    if (stat(path, &file) == 0 && stat(name, &old) == 0) {
        if (file.st_dev == old.st_dev && file.st_ino == old.st_ino)
            return true;
        (void)unlink(name);
    }
    return (link(path, name) == 0 && sync_directory(name)) ||
           error_runtime(error, "%s: cannot be made a second name of %s: %s", name, path,
                         strerror(errno));
}
