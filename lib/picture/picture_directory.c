/* A temporary directory is made, locked, filled, forced to the disk and renamed, as
 * base/atomic_file.c does with a file. Only pictures with names of ours are ever removed.
 */
#include "picture/picture_directory.h"

#include "base/atomic_file.h"
#include "base/group.h"
#include "base/memory.h"
#include "picture/png.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tries to find a name that no directory has. */
enum { MAX_TRIES = 100 };

struct PictureDirectory {
    /* Without a slash at its end. */
    char *path;
    /* NULL once it has its name. */
    char *temporary;
    /* Of the temporary, locked; -1: none. */
    int fd;
    /* Of one image. */
    Canvas canvas;
};

static bool cannot_write(const char *path, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

/* -- Removing ---------------------------------------------------------------------------------- */

static int open_directory(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* "000123.png" */
static bool is_picture_name(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return digits >= 6 && strcmp(name + digits, ".png") == 0;
}

/* Removes the pictures in the directory `name` of `parent` and in its directories down to `depth`,
 * then these directories if they are empty. Other files stay, and so do the directories that hold
 * them. */
static void remove_pictures(int parent, const char *name, int depth)
{
    const int fd = open_directory(parent, name);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        const bool own = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (is_picture_name(entry->d_name))
            (void)unlinkat(fd, entry->d_name, 0);
        else if (!own && depth > 0)
            remove_pictures(fd, entry->d_name, depth - 1);
    }
    closedir(entries);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* Removes temporaries without a lock, which killed programs left. */
static void remove_stale(const char *path)
{
    const char *base = NULL;
    char *place = atomic_directory_of(path, &base);
    DIR *entries = opendir(place);
    memory_free(place);
    if (entries == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (!atomic_is_temporary(entry->d_name, base))
            continue;
        bool unknown = false;
        const int fd = open_directory(dirfd(entries), entry->d_name);
        if (fd >= 0 && atomic_lock(fd, &unknown))
            remove_pictures(dirfd(entries), entry->d_name, 1);
        if (fd >= 0)
            close(fd);
    }
    closedir(entries);
}

/* -- Beginning --------------------------------------------------------------------------------- */

/* "a/b" for "a/b//". */
static char *without_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return memory_format("%.*s", (int)length, path);
}

static bool is_empty(DIR *entries)
{
    int count = 0;
    while (readdir(entries))
        count++;
    return count <= 2; /* . and .. */
}

/* Only an empty directory can be replaced by a rename; input error for anything else of that
 * name. */
static bool check_name(const char *path, Error *error)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return error_input(error, "%s/: expected the name of a new directory", path);
    struct stat status;
    if (lstat(path, &status) != 0 && errno == ENOENT)
        return true;
    DIR *entries = S_ISDIR(status.st_mode) ? opendir(path) : NULL;
    if (!entries)
        return error_input(
            error, "%s: is there and is no directory; expected the name of a new one", path);
    const bool empty = is_empty(entries);
    closedir(entries);
    return empty || error_input(error,
                                "%s/: is not empty, and who reads the pictures would read all of "
                                "it; expected a new directory",
                                path);
}

/* Creates and locks the temporary. Another program may remove it between the two, while it has no
 * lock: then another one is made. */
static bool create_temporary(PictureDirectory *directory)
{
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        char *name = atomic_temporary_name(directory->path);
        struct stat status;
        if (mkdir(name, 0777) == 0) {
            directory->fd = open_directory(AT_FDCWD, name);
            if (directory->fd >= 0 && atomic_lock(directory->fd, NULL) &&
                stat(name, &status) == 0) {
                directory->temporary = name;
                return true;
            }
            if (directory->fd >= 0)
                close(directory->fd);
            directory->fd = -1;
        } else if (errno != EEXIST) {
            memory_free(name);
            return false;
        }
        memory_free(name);
    }
    errno = EAGAIN;
    return false;
}

bool picture_directory_begin(PictureDirectory **result, const char *path, int resolution,
                             int channels, Error *error)
{
    PictureDirectory *directory = memory_small(1, sizeof *directory);
    directory->path = without_slashes(path);
    directory->fd = -1;
    bool ok = image_check_channels(channels, error) &&
              (!group_is_first() || check_name(directory->path, error)) &&
              canvas_make(&directory->canvas, resolution, resolution, channels, 0, error);
    if (ok && group_is_first()) {
        remove_stale(directory->path);
        ok = create_temporary(directory) || cannot_write(directory->path, error);
    }
    *result = ok ? directory : NULL;
    if (!ok)
        picture_directory_discard(directory);
    return ok;
}

/* -- Writing ----------------------------------------------------------------------------------- */

static bool write_picture(const PictureDirectory *directory, const char *path, Error *error)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return cannot_write(path, error);
    const bool written = canvas_encode_png(&directory->canvas, fd, path, error);
    const bool closed = close(fd) == 0;
    return written && (closed || cannot_write(path, error));
}

bool picture_directory_add(PictureDirectory *directory, const char *group, int first,
                           const float *images, int count, Error *error)
{
    Canvas *canvas = &directory->canvas;
    if (!group_is_first())
        return true;
    const size_t elements =
        (size_t)canvas->height * (size_t)canvas->width * (size_t)canvas->channels;
    char *place = group ? memory_format("%s/%s", directory->temporary, group)
                        : memory_string(directory->temporary);
    bool ok = !group || mkdir(place, 0777) == 0 || errno == EEXIST || cannot_write(place, error);
    for (int i = 0; ok && i < count; i++) {
        char *path = memory_format("%s/%06d.png", place, first + i);
        canvas_draw_image(canvas, 0, 0, images + (size_t)i * elements, canvas->height,
                          canvas->width, canvas->channels, 1);
        ok = write_picture(directory, path, error);
        memory_free(path);
    }
    memory_free(place);
    return ok;
}

/* -- The end ----------------------------------------------------------------------------------- */

/* Forces the whole directory to the disk: one call for its file system instead of one for each of
 * thousands of files. */
static bool force(const char *path, Error *error)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && syncfs(fd) == 0;
    if (!ok)
        cannot_write(path, error);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Keeps the pictures under a name that is no temporary's, and adds it to the error. */
static void keep_aside(const PictureDirectory *directory, Error *error)
{
    const char *letters = strrchr(directory->temporary, '-') + 1;
    char *kept = memory_format("%s.kept-%s", directory->path, letters);
    const bool renamed = rename(directory->temporary, kept) == 0;
    error_add(error, "; the pictures are in %s", renamed ? kept : directory->temporary);
    memory_free(kept);
}

bool picture_directory_commit(PictureDirectory *directory, Error *error)
{
    if (!group_is_first()) {
        picture_directory_discard(directory);
        return true;
    }
    bool ok = force(directory->temporary, error);
    if (ok) {
        ok = rename(directory->temporary, directory->path) == 0;
        if (!ok) { /* the name was taken meanwhile; the pictures may have taken hours to make */
            cannot_write(directory->path, error);
            keep_aside(directory, error);
        }
        memory_free(directory->temporary);
        directory->temporary = NULL;
    }
    ok = ok && force(directory->path, error); /* the name, too */
    picture_directory_discard(directory);
    return ok;
}

void picture_directory_discard(PictureDirectory *directory)
{
    if (!directory)
        return;
    if (directory->temporary)
        remove_pictures(AT_FDCWD, directory->temporary, 1);
    if (directory->fd >= 0)
        close(directory->fd);
    canvas_free(&directory->canvas);
    memory_free(directory->temporary);
    memory_free(directory->path);
    memory_free(directory);
}
