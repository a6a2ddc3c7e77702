/* Two sources behind one function: a list of names (data/file_tree.h) whose files are opened one by
 * one, and an archive that is read from front to end (data/bundle.h).
 *
 * A file is first looked at by its first bytes, so that a large file that is no picture is not read.
 * Files of a directory are opened by the threads that decode them.
 */
#include "data/picture_files.h"

#include "base/fingerprint.h"
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
};

enum {
    MEGABYTE = 1 << 20,
    /* Memory for a file of unknown size. */
    FIRST_BYTES = 1 << 14,
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
    memory_free(files->path);
    memory_free(files);
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

/* Reads the rest of a file that begins with `begin` [begins], up to `most` bytes, with memory that grows as
 * data come. */
static bool read_rest(const PictureFiles *files, FILE *stream, const uint8_t *begin, int64_t begins,
                      int64_t most, PictureFile *file, Error *error)
{
    int64_t capacity = most < FIRST_BYTES ? most : FIRST_BYTES, got = 0;
    file->bytes = memory_grow(NULL, (size_t)capacity, 1);
    memcpy(file->bytes, begin, (size_t)begins);
    file->size = begins;
    for (;;) {
        if (!read_some(files, stream, file->bytes + file->size, capacity - file->size, &got, error))
            return false;
        file->size += got;
        if (file->size < capacity)
            break;
        if (capacity == PICTURE_MAX_BYTES)
            snprintf(file->problem, sizeof file->problem, "has more than %d bytes",
                     PICTURE_MAX_BYTES);
        if (capacity == most)
            break;
        capacity = 2 * capacity < most ? 2 * capacity : most;
        file->bytes = memory_grow(file->bytes, (size_t)capacity, 1);
    }
    if (stream && ferror(stream)) {
        file->is_unreadable = true;
        snprintf(file->problem, sizeof file->problem, "cannot be read");
    }
    return true;
}

/* Fills in a file with the name that it has. */
static bool look_at(const PictureFiles *files, FILE *stream, int64_t most, PictureFile *file,
                    Error *error)
{
    uint8_t begin[PICTURE_MAGIC];
    int64_t got = 0;
    if (!read_some(files, stream, begin, PICTURE_MAGIC, &got, error))
        return false;
    const bool is_one = picture_kind(begin, (size_t)got) != PICTURE_NONE;
    file->is_picture = is_one || is_named_like_a_picture(file->name);
    if (is_one)
        return read_rest(files, stream, begin, got, most, file, error);
    if (file->is_picture)
        snprintf(file->problem, sizeof file->problem, "%s",
                 got == 0 ? "is empty" : "is neither PNG nor JPEG");
    return true;
}

/* -- The next one ------------------------------------------------------------------------------ */

void picture_files_forget(PictureFile *file)
{
    memory_free(file->name);
    memory_free(file->bytes);
    *file = (PictureFile){0};
}

static bool next_packed(PictureFiles *files, PictureFile *file, Error *error)
{
    BundleFile packed = {0};
    do {
        if (!bundle_next(files->bundle, &packed, error))
            return false;
    } while (packed.name && file_tree_hides(packed.name));
    if (!packed.name)
        return true;
    if (packed.is_link && is_named_like_a_picture(packed.name))
        return error_input(error,
                           "%s: %s is a link, whose picture the archive does not have there; tar "
                           "--dereference --hard-dereference stores pictures in place of links",
                           files->path, packed.name);
    file->name = memory_string(packed.name);
    if (packed.is_link || look_at(files, NULL, PICTURE_MAX_BYTES, file, error))
        return true;
    picture_files_forget(file);
    return false;
}

bool picture_files_next(PictureFiles *files, PictureFile *file, Error *error)
{
    *file = (PictureFile){0};
    if (files->bundle)
        return next_packed(files, file, error);
    if (files->next < files->tree.count)
        file->name = memory_string(files->tree.names[files->next++]);
    return true;
}

void picture_files_load(const PictureFiles *files, PictureFile *file)
{
    picture_files_load_begin(files, file, PICTURE_MAX_BYTES);
}

void picture_files_load_begin(const PictureFiles *files, PictureFile *file, int64_t most)
{
    Error unused;
    if (files->bundle)
        return;
    char *path = memory_format("%s/%s", files->path, file->name);
    FILE *stream = input_file_open(path);
    if (stream) {
        (void)look_at(files, stream, most, file, &unused); /* it fails for archives alone */
        fclose(stream);
    } else {
        /* It may be a picture, unless it is a link to nothing. */
        file->is_unreadable = errno != ENOENT;
        file->is_picture = file->is_unreadable || is_named_like_a_picture(file->name);
        snprintf(file->problem, sizeof file->problem, "cannot be opened: %s", strerror(errno));
    }
    memory_free(path);
}

/* -- How far ----------------------------------------------------------------------------------- */

bool picture_files_are_packed(const PictureFiles *files)
{
    return files->bundle != NULL;
}

int64_t picture_files_total(const PictureFiles *files)
{
    struct stat status;
    if (!files->bundle)
        return files->tree.count;
    return stat(files->path, &status) == 0 ? status.st_size / MEGABYTE + 1 : 1;
}

int64_t picture_files_done(const PictureFiles *files)
{
    return files->bundle ? bundle_position(files->bundle) / MEGABYTE : files->next;
}

/* -- The state --------------------------------------------------------------------------------- */

/* Continues a fingerprint by the size and the time of a file; a file that is not there has neither. */
static uint64_t add_status(uint64_t print, const char *path)
{
    struct stat status;
    int64_t facts[3] = {-1, 0, 0};
    if (stat(path, &status) == 0) {
        facts[0] = status.st_size;
        facts[1] = status.st_mtim.tv_sec;
        facts[2] = status.st_mtim.tv_nsec;
    }
    return fingerprint(print, facts, sizeof facts);
}

/* Continues a fingerprint by the first and the last bytes of a file. */
static uint64_t add_ends(uint64_t print, const char *path)
{
    uint8_t bytes[1 << 13];
    FILE *file = input_file_open(path);
    for (int end = 0; file && end < 2; end++) {
        if (end == 1 && fseek(file, -(long)sizeof bytes, SEEK_END) != 0)
            break; /* a short file has been read */
        print = fingerprint(print, bytes, fread(bytes, 1, sizeof bytes, file));
    }
    if (file)
        fclose(file);
    return print;
}

bool picture_files_state(const char *path, uint64_t *state, Error *error)
{
    PictureFiles *files = NULL;
    if (!picture_files_open(&files, path, error))
        return false;
    *state = FINGERPRINT_START;
    if (files->bundle)
        *state = add_ends(add_status(*state, path), path);
    for (int64_t i = 0; i < files->tree.count; i++) {
        const char *name = files->tree.names[i];
        char *inside = memory_format("%s/%s", path, name);
        *state = add_status(fingerprint(*state, name, strlen(name)), inside);
        memory_free(inside);
    }
    picture_files_close(files);
    return true;
}
