/* Files of a test: a directory of its own, removed when the test's process ends. A test that fails
 * keeps its directory, so that you can look at it.
 *
 *     hdf5_create(&file, scratch_path("a.h5"), &error)
 *
 * Small readers compare whole files byte by byte.
 */
#pragma once

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_directory[256];
static pid_t scratch_owner;

static inline void scratch_remove_tree(const char *directory)
{
    DIR *entries = opendir(directory);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = NULL;
        struct stat status;
        if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
            break;
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
            scratch_remove_tree(path);
        else
            unlink(path);
        free(path);
    }
    if (entries != NULL)
        closedir(entries);
    rmdir(directory);
}

static inline void scratch_remove(void)
{
    if (scratch_owner == getpid())
        scratch_remove_tree(scratch_directory);
}

/* The path of `name` in the test's directory. The text is good for the next seven calls. */
static inline const char *scratch_path(const char *name)
{
    static char paths[8][512];
    static int next;
    if (scratch_owner != getpid()) {
        const char *parent = getenv("TMPDIR");
        snprintf(scratch_directory, sizeof scratch_directory, "%s/varhead-test-XXXXXX",
                 parent != NULL ? parent : "/tmp");
        if (mkdtemp(scratch_directory) == NULL)
            ck_abort_msg("%s: cannot be created", scratch_directory);
        scratch_owner = getpid();
        atexit(scratch_remove);
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_directory, name);
    return path;
}

/* How many entries the test's directory has: a temporary left behind shows. */
static inline int scratch_count(void)
{
    int count = -2; /* . and .. */
    DIR *entries = opendir(scratch_directory);
    ck_assert_ptr_nonnull(entries);
    while (readdir(entries) != NULL)
        count++;
    closedir(entries);
    return count;
}

static inline void scratch_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* The bytes of a file and their number; released with free(). */
static inline char *scratch_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        ck_abort_msg("%s: cannot be opened", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static inline bool scratch_same_bytes(const char *path, const char *bytes, size_t size)
{
    size_t found_size;
    char *found = scratch_read(path, &found_size);
    bool same = found_size == size && memcmp(found, bytes, size) == 0;
    free(found);
    return same;
}
