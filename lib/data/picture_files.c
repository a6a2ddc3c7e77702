/* Two sources behind one function: a list of names (data/file_tree.h) whose files are opened one by
 * one, and an archive that is read from front to end (data/bundle.h).
 *
 * A file is first looked at by its first bytes, so that a large file that is no picture is not read.
 */
#include "data/picture_files.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "data/bundle.h"
#include "data/file_tree.h"
#include "data/picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct PictureFiles {
    char *path;
    /* NULL for a directory. */
    Bundle *bundle;
    FileTree tree;
    /* Of the tree. */
    int64_t next;
    int64_t others;
    char *first_other;
};

/* -- Opening ----------------------------------------------------------------------------------- */

bool picture_files_open(PictureFiles **result, const char *path, Error *error)
{
    struct stat status;
    PictureFiles *files = memory_small(1, sizeof *files);
    files->path = memory_string(path);
    const bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    const bool ok = is_directory ? file_tree_read(&files->tree, path, error)
                                 : bundle_open(&files->bundle, path, error);
    *result = ok ? files : NULL;
    if (!ok)
        picture_files_close(files);
    return ok;
}

void picture_files_close(PictureFiles *files)
{
    if (files == NULL)
        return;
    bundle_close(files->bundle);
    file_tree_free(&files->tree);
    memory_free(files->first_other);
    memory_free(files->path);
    memory_free(files);
}

int64_t picture_files_others(const PictureFiles *files, const char **first)
{
    *first = files->first_other;
    return files->others;
}

/* -- Contents ---------------------------------------------------------------------------------- */

static bool is_named_like_a_picture(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const size_t length = strlen(name);
    for (int i = 0; i < 3; i++) {
        const size_t ends = strlen(endings[i]);
        if (length > ends && strcasecmp(name + length - ends, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Reads from the archive, or else from `stream`. False only where the archive is damaged. */
static bool read_some(const PictureFiles *files, FILE *stream, uint8_t *bytes, int64_t size,
                      int64_t *got, Error *error)
{
    if (files->bundle)
        return bundle_read(files->bundle, bytes, size, got, error);
    *got = (int64_t)fread(bytes, 1, (size_t)size, stream);
    return true;
}

/* Reads the rest of a file that begins with `begin` [begins], with memory that grows as data come. */
static bool read_rest(const PictureFiles *files, FILE *stream, const uint8_t *begin, int64_t begins,
                      PictureFile *file, Error *error)
{
    int64_t capacity = 1 << 14, got = 0;
    file->bytes = memory_grow(NULL, (size_t)capacity, 1);
    memcpy(file->bytes, begin, (size_t)begins);
    file->size = begins;
    for (;;) {
        if (!read_some(files, stream, file->bytes + file->size, capacity - file->size, &got, error))
            return false;
        file->size += got;
        if (file->size < capacity)
            break;
        if (capacity >= PICTURE_MAX_BYTES) {
            snprintf(file->problem, sizeof file->problem, "has more than %d bytes",
                     PICTURE_MAX_BYTES);
            break;
        }
        capacity *= 2;
        file->bytes = memory_grow(file->bytes, (size_t)capacity, 1);
    }
    if (stream && ferror(stream))
        snprintf(file->problem, sizeof file->problem, "cannot be read");
    return true;
}

/* Fills in a file with the name that it has. *is_picture is false if it is to be passed over. */
static bool look_at(PictureFiles *files, FILE *stream, PictureFile *file, bool *is_picture,
                    Error *error)
{
    uint8_t begin[PICTURE_MAGIC];
    int64_t got = 0;
    if (!read_some(files, stream, begin, PICTURE_MAGIC, &got, error))
        return false;
    const bool is_one = picture_kind(begin, (size_t)got) != PICTURE_NONE;
    *is_picture = is_one || is_named_like_a_picture(file->name);
    if (is_one)
        return read_rest(files, stream, begin, got, file, error);
    if (*is_picture)
        snprintf(file->problem, sizeof file->problem, "%s",
                 got == 0 ? "is empty" : "is neither PNG nor JPEG");
    return true;
}

/* -- The next one ------------------------------------------------------------------------------ */

/* file->name := the next name, NULL at the end. `stream` is that of a file in a directory. */
static bool next_name(PictureFiles *files, PictureFile *file, FILE **stream, Error *error)
{
    if (!files->bundle) {
        if (files->next == files->tree.count)
            return true;
        file->name = memory_string(files->tree.names[files->next++]);
        char *path = memory_format("%s/%s", files->path, file->name);
        *stream = input_file_open(path);
        if (!*stream)
            snprintf(file->problem, sizeof file->problem, "cannot be opened: %s", strerror(errno));
        memory_free(path);
        return true;
    }
    BundleFile packed = {0};
    do {
        if (!bundle_next(files->bundle, &packed, error))
            return false;
    } while (packed.name && file_tree_hides(packed.name));
    const char *name = packed.name;
    while (name && strncmp(name, "./", 2) == 0)
        name += 2;
    file->name = memory_string(name);
    return true;
}

static void forget(PictureFile *file)
{
    memory_free(file->name);
    memory_free(file->bytes);
    *file = (PictureFile){0};
}

bool picture_files_next(PictureFiles *files, PictureFile *file, Error *error)
{
    for (;;) {
        FILE *stream = NULL;
        *file = (PictureFile){0};
        bool ok = next_name(files, file, &stream, error), is_picture = true;
        if (ok && file->name && file->problem[0])
            is_picture = is_named_like_a_picture(file->name);
        else if (ok && file->name)
            ok = look_at(files, stream, file, &is_picture, error);
        if (stream)
            fclose(stream);
        if (!ok)
            forget(file);
        if (!ok || is_picture || !file->name)
            return ok;
        if (files->others++ == 0)
            files->first_other = memory_string(file->name);
        forget(file);
    }
}
