#include "io/picture_directory.h"

#include "base/memory.h"
#include "io/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_DIRECTORIES = 8 }; /* at a time, while a tree is removed */

struct PictureDirectory {
    char *path;      /* without a slash at its end */
    char *temporary; /* NULL once it has its name */
    Canvas canvas;   /* of one image */
};

static bool cannot_write(const char *path, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

/* -- Beginning -------------------------------------------------------------------------------- */

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

bool picture_directory_begin(PictureDirectory **result, const char *path, int resolution,
                             int channels, Error *error)
{
    PictureDirectory *directory = memory_small(1, sizeof *directory);
    directory->path = without_slashes(path);
    bool ok = image_check_channels(channels, error) && check_name(directory->path, error) &&
              canvas_make(&directory->canvas, resolution, resolution, channels, 0, error);
    if (ok) {
        char *temporary = memory_format("%s.tmp-%ld", directory->path, (long)getpid());
        ok = mkdir(temporary, 0777) == 0 || cannot_write(directory->path, error);
        if (ok)
            directory->temporary = temporary;
        else
            memory_free(temporary);
    }
    *result = ok ? directory : NULL;
    if (!ok)
        picture_directory_discard(directory);
    return ok;
}

/* -- Writing ---------------------------------------------------------------------------------- */

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

/* -- The end ---------------------------------------------------------------------------------- */

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

bool picture_directory_commit(PictureDirectory *directory, Error *error)
{
    bool ok = force(directory->temporary, error);
    if (ok) {
        ok = rename(directory->temporary, directory->path) == 0;
        if (!ok) { /* somebody has put something there meanwhile: what took long to make stays */
            cannot_write(directory->path, error);
            error_add(error, "; the pictures are in %s", directory->temporary);
        }
        memory_free(directory->temporary);
        directory->temporary = NULL;
    }
    ok = ok && force(directory->path, error); /* the name, too */
    picture_directory_discard(directory);
    return ok;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    (void)remove(path);
    return 0;
}

void picture_directory_discard(PictureDirectory *directory)
{
    if (!directory)
        return;
    if (directory->temporary)
        (void)nftw(directory->temporary, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
    canvas_free(&directory->canvas);
    memory_free(directory->temporary);
    memory_free(directory->path);
    memory_free(directory);
}
