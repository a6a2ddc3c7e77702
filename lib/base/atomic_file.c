/* Temporary files, their locks, and the rename.
 *
 * Three races are closed here. Between the creation of a temporary and its lock, another program
 * may take it for one that was left behind and remove it: then a new one is made. Two programs that
 * look at a file and then replace it lock its directory meanwhile. And a temporary keeps its lock
 * until it has its final name.
 */
#include "base/atomic_file.h"

#include "base/group.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Random letters at the end of a temporary's name. */
    LETTERS = 8,
    /* Symbolic links in a chain: the system's own limit. */
    MAX_LINKS = 40,
    /* Tries to find a name that no file has. */
    MAX_TRIES = 100,
    /* Milliseconds to wait for other programs that are renaming in the same directory. */
    PATIENCE_MS = 2000,
};

static const char temporary_mark[] = ".tmp-"; /* letters follow */

static bool cannot_write(const char *path, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

/* -- Names ------------------------------------------------------------------------------------- */

char *atomic_directory_of(const char *path, const char **base)
{
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    if (slash == NULL)
        return memory_string(".");
    if (slash == path)
        return memory_string("/");
    return memory_format("%.*s", (int)(slash - path), path);
}

char *atomic_temporary_name(const char *path)
{
    unsigned char bytes[LETTERS];
    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes) {
        /* A machine that has only just started has no random numbers. The time will do: the name is
         * tried out anyway. */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        const uint64_t number = (uint64_t)now.tv_nsec * 1000003u ^ (uint64_t)getpid() << 24;
        memcpy(bytes, &number, sizeof bytes);
    }
    char letters[LETTERS + 1] = "";
    for (int i = 0; i < LETTERS; i++)
        letters[i] = (char)('a' + bytes[i] % 26);
    return memory_format("%s%s%s", path, temporary_mark, letters);
}

bool atomic_is_temporary(const char *name, const char *base)
{
    const size_t length = strlen(base), mark = sizeof temporary_mark - 1;
    return strncmp(name, base, length) == 0 && strncmp(name + length, temporary_mark, mark) == 0 &&
           strspn(name + length + mark, "abcdefghijklmnopqrstuvwxyz") == LETTERS &&
           name[length + mark + LETTERS] == '\0';
}

/* The target of a symbolic link, as a path from the working directory; NULL: `path` is no link. */
static char *link_target(const char *path)
{
    char text[PATH_MAX];
    const ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0)
        return NULL;
    text[length] = '\0';
    if (text[0] == '/')
        return memory_string(text);
    const char *base = NULL;
    char *directory = atomic_directory_of(path, &base);
    char *target = memory_format("%s/%s", directory, text);
    memory_free(directory);
    return target;
}

/* The file that `path` leads to, whether it exists or not. */
static char *follow(const char *path, Error *error)
{
    char *target = memory_string(path);
    for (int links = 0; links < MAX_LINKS; links++) {
        char *next = link_target(target);
        if (!next)
            return target;
        memory_free(target);
        target = next;
    }
    memory_free(target);
    error_input(error, "%s: is a symbolic link that leads nowhere", path);
    return NULL;
}

/* -- Locks ------------------------------------------------------------------------------------- */

bool atomic_lock(int fd, bool *unknown)
{
    const bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    const bool held = !locked && errno == EWOULDBLOCK;
    if (unknown)
        *unknown = !locked && !held;
    return locked || (!held && !unknown);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_named(int fd, const char *path)
{
    struct stat open, named;
    return fstat(fd, &open) == 0 && lstat(path, &named) == 0 && same_file(&open, &named);
}

/* Removes a temporary that has no lock: its program is dead. If that cannot be told (no locks, no
 * permission), it stays. */
static void remove_if_stale(int directory, const char *name)
{
    const int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    bool unknown = false;
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && atomic_lock(fd, &unknown))
        (void)unlinkat(directory, name, 0);
    close(fd);
}

/* Removes temporaries for `path` that killed programs left, which would fill the disk. Failing here
 * is harmless. */
static void remove_stale(const char *path)
{
    const char *base = NULL;
    char *directory = atomic_directory_of(path, &base);
    DIR *entries = opendir(directory);
    if (entries != NULL) {
        for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
            if (atomic_is_temporary(entry->d_name, base))
                remove_if_stale(dirfd(entries), entry->d_name);
        closedir(entries);
    }
    memory_free(directory);
}

/* -- Beginning --------------------------------------------------------------------------------- */

/* Refuses names of directories and devices, which a rename would replace. */
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

static bool same_state(const struct stat *a, const struct stat *b)
{
    return same_file(a, b) && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The last files that this process has put in place. A training replaces its own checkpoint at
 * every save and need not ask the rule again, which opens the file in another process. */
static struct {
    struct stat status;
    AtomicRule rule;
} written[4];
static unsigned written_count;

static void remember(const AtomicFile *file)
{
    const unsigned at = written_count++ % (sizeof written / sizeof written[0]);
    if (fstat(file->fd, &written[at].status) == 0)
        written[at].rule = file->rule;
    else
        written[at].rule = (AtomicRule){0};
}

static bool is_remembered(const AtomicFile *file)
{
    struct stat now;
    if (stat(file->target, &now) != 0)
        return false;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        if (written[i].rule.allows == file->rule.allows &&
            written[i].rule.kind == file->rule.kind && same_state(&written[i].status, &now))
            return true;
    return false;
}

static bool is_allowed(const AtomicFile *file, Error *error)
{
    return !file->rule.allows || is_remembered(file) ||
           file->rule.allows(file->path, file->rule.kind, error);
}

/* Creates and locks the temporary. Another program may remove it between the two, while it has no
 * lock: then it has no name any more, and another one is made. */
static bool create_temporary(AtomicFile *file)
{
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        char *name = atomic_temporary_name(file->target);
        file->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0 && atomic_lock(file->fd, NULL) && is_named(file->fd, name)) {
            file->temporary = name;
            return true;
        }
        memory_free(name);
        if (file->fd < 0 && errno != EEXIST)
            return false;
        if (file->fd >= 0)
            close(file->fd);
        file->fd = -1;
    }
    errno = EAGAIN;
    return false;
}

/* Whether another process of the group writes the file. */
static bool is_of_another(AtomicRule rule)
{
    return !group_is_first() && !rule.by_each;
}

/* A file in memory, in the place of the temporary. */
static bool begin_nameless(AtomicFile *file, const char *path, Error *error)
{
    file->path = memory_string(path);
    file->fd = memfd_create("varhead", MFD_CLOEXEC);
    if (file->fd >= 0)
        return true;
    cannot_write(path, error);
    atomic_file_abandon(file);
    return false;
}

bool atomic_file_begin(AtomicFile *file, const char *path, AtomicRule rule, Error *error)
{
    *file = (AtomicFile){.fd = -1, .rule = rule};
    if (is_of_another(rule))
        return begin_nameless(file, path, error);
    if (!check_target(path, error))
        return false;
    file->path = memory_string(path);
    bool ok = (file->target = follow(path, error)) != NULL && is_allowed(file, error);
    if (ok) {
        remove_stale(file->target);
        ok = create_temporary(file) || cannot_write(path, error);
    }
    if (!ok)
        atomic_file_abandon(file);
    return ok;
}

bool atomic_file_possible(const char *path, AtomicRule rule, Error *error)
{
    AtomicFile probe;
    if (!atomic_file_begin(&probe, path, rule, error))
        return false;
    atomic_file_abandon(&probe);
    return true;
}

void atomic_file_made_from(AtomicFile *file, const struct stat *source)
{
    file->source = *source;
    file->has_source = true;
}

/* -- The end ----------------------------------------------------------------------------------- */

/* Opens the directory of `path`, and locks it if possible, so that this program alone looks at a
 * file and then replaces it. -1: it cannot be opened. */
static int enter_directory(const char *path)
{
    const char *base = NULL;
    char *directory = atomic_directory_of(path, &base);
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memory_free(directory);
    for (int waited = 0; fd >= 0 && waited < PATIENCE_MS && !atomic_lock(fd, NULL); waited++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return fd;
}

/* Forces the directory to the disk, without which a rename may be lost in a power failure, and
 * closes it. */
static bool leave_directory(int fd)
{
    if (fd < 0)
        return errno == EACCES; /* a directory may be writable and not readable */
    bool ok = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP; /* not on all file systems */
    int reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

static bool sync_directory(const char *path)
{
    return leave_directory(enter_directory(path));
}

/* Whether the file that the new content was made from has lost its name or was changed. */
static bool is_overtaken(const AtomicFile *file)
{
    struct stat now;
    return file->has_source && (stat(file->target, &now) != 0 || !same_state(&now, &file->source));
}

/* Keeps the new content under another name: it may have taken hours to make. */
static bool keep_aside(AtomicFile *file, Error *error)
{
    const char *letters = file->temporary + strlen(file->temporary) - LETTERS;
    char *kept = memory_format("%s.kept-%s", file->target, letters);
    if (rename(file->temporary, kept) == 0) {
        memory_free(file->temporary);
        file->temporary = NULL;
        error_add(error, "; what was made is in %s", kept);
    }
    memory_free(kept);
    return false;
}

static bool may_rename(AtomicFile *file, Error *error)
{
    file->overtaken = is_overtaken(file);
    if (file->overtaken)
        return error_runtime(error, "%s: was written by another program meanwhile", file->path);
    return is_allowed(file, error) || keep_aside(file, error);
}

/* The temporary is closed, and so unlocked, last: until then no program takes it for one that was
 * left behind. */
bool atomic_file_commit(AtomicFile *file, Error *error)
{
    if (is_of_another(file->rule)) {
        atomic_file_abandon(file);
        return true;
    }
    bool ok = fsync(file->fd) == 0 || cannot_write(file->path, error);
    if (ok) {
        const int directory = enter_directory(file->target);
        const int reason = errno;
        ok = may_rename(file, error);
        if (ok && rename(file->temporary, file->target) != 0)
            ok = cannot_write(file->path, error);
        if (ok) {
            remember(file);
            memory_free(file->temporary);
            file->temporary = NULL;
        }
        errno = reason;
        if (!leave_directory(directory) && ok)
            ok = cannot_write(file->path, error);
    }
    atomic_file_abandon(file);
    return ok;
}

void atomic_file_abandon(AtomicFile *file)
{
    if (file->path == NULL)
        return;
    if (file->temporary != NULL)
        (void)unlink(file->temporary);
    if (file->fd >= 0)
        close(file->fd);
    memory_free(file->temporary);
    memory_free(file->target);
    memory_free(file->path);
    *file = (AtomicFile){.fd = -1, .overtaken = file->overtaken};
}

/* -- Second names ------------------------------------------------------------------------------ */

/* The old name is removed first, without a temporary link, which a killed program would leave
 * behind. */
bool atomic_file_link(const char *path, const char *name, AtomicRule rule, Error *error)
{
    struct stat file, old;
    if (stat(path, &file) == 0 && stat(name, &old) == 0 && same_file(&file, &old))
        return true;
    if (rule.allows && !rule.allows(name, rule.kind, error))
        return false;
    (void)unlink(name);
    return (linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 &&
            sync_directory(name)) ||
           error_runtime(error, "%s: cannot be made a second name of %s: %s", name, path,
                         strerror(errno));
}
