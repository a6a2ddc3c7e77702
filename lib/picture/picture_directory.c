#include "picture/picture_directory.h"

#include "base/atomic_file.h"
#include "base/memory.h"
#include "picture/png.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TRIES = 100 }; /* for a name that nobody has */

struct PictureDirectory {
    char *path;      /* without a slash at its end */
    char *temporary; /* NULL once it has its name */
    int fd;          /* of the temporary, locked; -1: none */
    Canvas canvas;   /* of one image */
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

/* Removes the pictures in the directory `name` of another, and in directories in it down to `depth`, and then these
 * directories where they are empty. Anything else stays, and so what it lies in. */
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

/* Nobody will ever do the rest of a temporary without a lock. */
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

/* A directory gets the name of one that is empty; anything else that has it would be lost. */
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

/* Between its creation and its lock, another's search for what killed programs left may take it
 * away. */
static bool create_temporary(PictureDirectory *directory)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
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
    bool ok = image_check_channels(channels, error) && check_name(directory->path, error) &&
              canvas_make(&directory->canvas, resolution, resolution, channels, 0, error);
    if (ok) {
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

/* Forces all of it to the disk: thousands of files are one call for the file system they are on. */
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

/* Under a name that nobody takes for that of a temporary. */
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
    bool ok = force(directory->temporary, error);
    if (ok) {
        ok = rename(directory->temporary, directory->path) == 0;
        if (!ok) { /* somebody has put something there meanwhile: what took long to make stays */
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
