/* Gives checkpoints a second name, and removes old ones.
 *
 * The number of a step has eight digits or more, so that names sort by step. Old snapshots are
 * found by their names in the directory and not in a list of their own, so that nothing can
 * disagree with the files.
 */
#include "train/snapshots.h"

#include "base/memory.h"
#include "io/file_kind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGITS = 8 };

static const char suffix[] = ".h5";

/* "run/stage1.h5" is "stage1" in "run". */
static char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return memory_format("%.*s", (int)(strlen(name) - strlen(suffix)), name);
}

/* The step in "stage1-00005000.h5"; -1 if that is no snapshot of `base`. */
static int64_t step_of(const char *name, const char *base)
{
    size_t length = strlen(base);
    if (strncmp(name, base, length) != 0 || name[length] != '-')
        return -1;
    const char *digits = name + length + 1;
    size_t count = strspn(digits, "0123456789");
    return count >= DIGITS && count < 19 && strcmp(digits + count, suffix) == 0
               ? strtoll(digits, NULL, 10)
               : -1;
}

/* How many snapshots there are of steps later than `step`, but not later than `last`. */
static int count_between(const char *directory, const char *base, int64_t step, int64_t last)
{
    int count = 0;
    DIR *entries = opendir(directory);
    if (entries == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        int64_t other = step_of(entry->d_name, base);
        count += other > step && other <= last;
    }
    closedir(entries);
    return count;
}

/* Snapshots of later steps belong to an earlier run, and stay. Those of earlier steps count, whatever run
 * they are of. A file that can't be removed stays too. */
static void remove_old(const char *directory, const char *base, int64_t last, int keep)
{
    DIR *entries = opendir(directory);
    if (entries == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        int64_t step = step_of(entry->d_name, base);
        if (step < 0 || step > last || count_between(directory, base, step, last) < keep)
            continue;
        char *path = memory_format("%s/%s", directory, entry->d_name);
        file_kind_remove(path, FILE_CHECKPOINT);
        memory_free(path);
    }
    closedir(entries);
}

static bool copy_bytes(int from, int to)
{
    enum { BLOCK = 1 << 20 };
    char *block = memory_small(1, BLOCK);
    ssize_t got = 0, put = 0;
    while (put >= 0 && (got = read(from, block, BLOCK)) > 0)
        for (ssize_t done = 0; put >= 0 && done < got; done += put)
            put = write(to, block + done, (size_t)(got - done));
    memory_free(block);
    return got == 0 && put >= 0;
}

/* For file systems without hard links (exFAT, some network disks). */
static bool copy_file(const char *path, const char *name, Error *error)
{
    AtomicFile copy;
    const int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return error_runtime(error, "%s: cannot be read: %s", path, strerror(errno));
    bool done = atomic_file_begin(&copy, name, file_kind_rule(FILE_CHECKPOINT), error);
    if (done && !copy_bytes(from, copy.fd)) {
        error_runtime(error, "%s: cannot be written: %s", name, strerror(errno));
        atomic_file_abandon(&copy);
        done = false;
    }
    close(from);
    return done && atomic_file_commit(&copy, error);
}

bool snapshots_keep(const char *path, int64_t step, int64_t every, int keep, Error *error)
{
    if (keep == 0 || step % every != 0)
        return true;
    const char *with_suffix = NULL;
    char *base = base_of(path), *directory = atomic_directory_of(path, &with_suffix);
    char *name = memory_format("%s/%s-%0*lld%s", directory, base, DIGITS, (long long)step, suffix);
    bool ok = atomic_file_link(path, name, file_kind_rule(FILE_CHECKPOINT), &(Error){0}) ||
              copy_file(path, name, error);
    if (ok)
        remove_old(directory, base, step, keep);
    memory_free(name);
    memory_free(directory);
    memory_free(base);
    return ok;
}
