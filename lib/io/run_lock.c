/* The lock's file is created, locked, and then looked at again: its name may be gone by then, since
 * the process that had the lock removes the file when it ends. Then another file is created.
 */
#include "io/run_lock.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Input error with the process that has the lock. It writes its number to the file a moment after
 * it has taken the lock. */
static bool report_holder(const RunLock *lock, const char *directory, Error *error)
{
    char text[32] = "";
    ssize_t length = pread(lock->fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return error_input(
        error,
        "%s: process %s is training in this directory (%s); wait for it or stop it, or "
        "train in another with --run",
        directory, text[0] != '\0' ? text : "of another user or machine", lock->path);
}

/* Whether the locked file still has its name. The last holder may have removed it between our
 * opening and our locking: a lock on a file without a name keeps no process away. */
static bool is_in_place(const RunLock *lock)
{
    struct stat ours, named;
    return fstat(lock->fd, &ours) == 0 && stat(lock->path, &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

static void write_holder(const RunLock *lock)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    (void)!ftruncate(lock->fd, 0); /* failures do not matter: the lock holds without a number */
    (void)!pwrite(lock->fd, text, (size_t)length, 0);
}

/* Whether no training has written the file: then it must not be overwritten or removed. */
static bool is_foreign(const RunLock *lock)
{
    char text[32];
    const ssize_t length = pread(lock->fd, text, sizeof text, 0);
    if (length < 0 || length == (ssize_t)sizeof text)
        return true;
    for (ssize_t i = 0; i < length; i++)
        if ((text[i] < '0' || text[i] > '9') && !(text[i] == '\n' && i == length - 1))
            return true;
    return false;
}

static bool refuse_foreign(RunLock *lock, Error *error)
{
    error_input(error,
                "%s: is no lock of a training, and would be lost; move it, or train in another "
                "directory with --run",
                lock->path);
    close(lock->fd);
    lock->fd = -1;
    return false;
}

/* The descriptor of the lock's file, -1 with errno. Another user's file can be locked without being
 * written. */
static int open_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 && errno == EACCES)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd;
}

/* Where nothing can be written, there is nothing to lock: the first file that is written there will
 * report the reason. */
static bool check_unlocked(const RunLock *lock, const char *directory, Error *error)
{
    const int why = errno;
    return why == ENOENT || why == ENOTDIR || why == EROFS || access(directory, W_OK) != 0 ||
           error_input(error,
                       "%s: cannot be opened as the lock of a training (%s); move it, or train in "
                       "another directory with --run",
                       lock->path, strerror(why));
}

bool run_lock_take(RunLock *lock, const char *directory, Error *error)
{
    *lock = (RunLock){.path = memory_format("%s/lock", directory), .fd = -1};
    for (;;) {
        lock->fd = open_lock(lock->path);
        if (lock->fd < 0)
            return check_unlocked(lock, directory, error);
        if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
            bool held = errno == EWOULDBLOCK; /* if not, the file system has no locks */
            bool ok = !held || report_holder(lock, directory, error);
            close(lock->fd);
            lock->fd = -1;
            return ok;
        }
        if (is_in_place(lock))
            break;
        close(lock->fd);
    }
    if (is_foreign(lock))
        return refuse_foreign(lock, error);
    write_holder(lock);
    return true;
}

bool run_lock_retake(RunLock *lock, const char *directory, Error *error)
{
    run_lock_release(lock);
    return run_lock_take(lock, directory, error);
}

bool run_lock_keep(RunLock *lock, const char *directory, Error *error)
{
    return (lock->fd >= 0 && is_in_place(lock)) || run_lock_retake(lock, directory, error);
}

/* A file that has taken its place belongs to another process and stays. */
void run_lock_release(RunLock *lock)
{
    if (lock->fd >= 0) {
        if (is_in_place(lock))
            (void)unlink(lock->path);
        close(lock->fd);
    }
    memory_free(lock->path);
    *lock = (RunLock){.fd = -1};
}
