/* Reads CIFAR: each file wholly, then its rows one by one into images whose colours lie side by side.
 *
 * The names of the files tell CIFAR-10 from CIFAR-100. An archive is read once from front to end; a
 * file that is not asked for is passed over. Memory grows with the data that a file has, to at most
 * MOST_ROWS rows.
 */
#include "data/cifar.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "data/bundle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PLANE = CIFAR_SIDE * CIFAR_SIDE,
    PIXELS = CIFAR_CHANNELS * PLANE,
    FILES = 6,
    /* Of one file: twice the largest one. */
    MOST_ROWS = 100000,
    FIRST_READ = 1 << 20,
    /* Files of an archive that are looked at before it is known whether it is CIFAR. The published
     * archives have eight and five. */
    MOST_LOOKED_AT = 16,
    /* Bytes of the largest file that is passed over in this search. */
    LARGEST_LOOKED_AT = 1 << 28,
};

/* A data set: the files of its training images, then the one of its test images. */
typedef struct Kind {
    const char *name, *folder;
    /* Bytes of a row before its pixels; the last of them is the label. */
    int label_bytes;
    int classes;
    int files;
    const char *file[FILES];
} Kind;

static const Kind kinds[] = {
    {"CIFAR-10",
     "cifar-10-batches-bin",
     1,
     10,
     6,
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"}},
    {"CIFAR-100", "cifar-100-binary", 2, 100, 2, {"train.bin", "test.bin"}},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The contents of the files that are asked for. */
typedef struct Files {
    const char *path;
    bool test;
    const Kind *kind;
    uint8_t *bytes[FILES];
    int64_t size[FILES];
} Files;

/* -- Names ------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Of the archive's name "cifar-10-batches-bin/test_batch.bin" the kind and the number of the file. */
static const Kind *find_file(const char *name, int *file)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    for (int k = 0; k < KINDS; k++)
        for (*file = 0; *file < kinds[k].files; ++*file)
            if (strcmp(base, kinds[k].file[*file]) == 0)
                return &kinds[k];
    return NULL;
}

/* The path of a file in the directory, or in the published folder inside it; NULL if it is in neither.
 * Caller frees. */
static char *in_directory(const char *path, const Kind *kind, int file)
{
    char *found = memory_format("%s/%s", path, kind->file[file]);
    struct stat status;
    if (stat(found, &status) == 0)
        return found;
    memory_free(found);
    found = memory_format("%s/%s/%s", path, kind->folder, kind->file[file]);
    if (stat(found, &status) == 0)
        return found;
    memory_free(found);
    return NULL;
}

/* The kind of which the directory has any file; NULL if there is none. */
static const Kind *kind_of_directory(const char *path)
{
    for (int k = 0; k < KINDS; k++)
        for (int f = 0; f < kinds[k].files; f++) {
            char *found = in_directory(path, &kinds[k], f);
            memory_free(found);
            if (found)
                return &kinds[k];
        }
    return NULL;
}

static bool archive_detects(const char *path)
{
    Bundle *bundle = NULL;
    BundleFile file;
    Error unused;
    int which;
    bool found = false;
    if (!bundle_detects(path) || !bundle_open(&bundle, path, &unused))
        return false;
    for (int i = 0; i < MOST_LOOKED_AT && !found; i++) {
        if (!bundle_next(bundle, &file, &unused) || !file.name)
            break;
        found = !file.is_link && find_file(file.name, &which) != NULL;
        if (file.size > LARGEST_LOOKED_AT)
            break;
    }
    bundle_close(bundle);
    return found;
}

bool cifar_detects(const char *path)
{
    return is_directory(path) ? kind_of_directory(path) != NULL : archive_detects(path);
}

/* -- Contents ---------------------------------------------------------------------------------- */

static bool is_wanted(const Files *files, int file)
{
    return (file == files->kind->files - 1) == files->test;
}

static int64_t row_size(const Kind *kind)
{
    return kind->label_bytes + PIXELS;
}

/* Reads a file to its end, from a bundle or from a stream. */
static bool read_wholly(Files *files, int file, Bundle *bundle, FILE *stream, Error *error)
{
    uint8_t **bytes = &files->bytes[file];
    int64_t *size = &files->size[file], capacity = 0, got = 0;
    const char *name = files->kind->file[file];
    do {
        if (*size > MOST_ROWS * row_size(files->kind))
            return error_input(error, "%s: %s has more than %d images", files->path, name,
                               MOST_ROWS);
        capacity = capacity ? 2 * capacity : FIRST_READ;
        uint8_t *grown = realloc(*bytes, (size_t)capacity);
        if (!grown)
            return error_runtime(error, "%s: not enough memory for the images of %s", files->path,
                                 name);
        *bytes = grown;
        if (stream)
            got = (int64_t)fread(grown + *size, 1, (size_t)(capacity - *size), stream);
        else if (!bundle_read(bundle, grown + *size, capacity - *size, &got, error))
            return false;
        *size += got;
    } while (*size == capacity);
    return !stream || !ferror(stream) ||
           error_input(error, "%s: %s cannot be read", files->path, name);
}

static bool read_directory(Files *files, Error *error)
{
    bool ok = true;
    files->kind = kind_of_directory(files->path);
    if (!files->kind)
        return error_input(error, "%s: holds neither CIFAR-10 nor CIFAR-100 in binary files",
                           files->path);
    for (int f = 0; ok && f < files->kind->files; f++) {
        char *path = is_wanted(files, f) ? in_directory(files->path, files->kind, f) : NULL;
        int64_t size = 0;
        FILE *stream = NULL;
        if (path) {
            ok = input_file_check(path, "a file of CIFAR", &size, error) &&
                 ((stream = input_file_open(path)) != NULL ||
                  error_input(error, "%s: cannot be opened", path)) &&
                 read_wholly(files, f, NULL, stream, error);
        }
        if (stream)
            fclose(stream);
        memory_free(path);
    }
    return ok;
}

static bool read_archive(Files *files, Error *error)
{
    Bundle *bundle = NULL;
    BundleFile file;
    bool ok = bundle_open(&bundle, files->path, error);
    while (ok && (ok = bundle_next(bundle, &file, error)) && file.name) {
        int which;
        const Kind *kind = file.is_link ? NULL : find_file(file.name, &which);
        if (!kind)
            continue;
        if (files->kind && files->kind != kind)
            ok = error_input(error, "%s: holds files of %s and of %s", files->path,
                             files->kind->name, kind->name);
        files->kind = kind;
        if (ok && files->bytes[which])
            ok = error_input(error, "%s: holds %s twice", files->path, kind->file[which]);
        if (ok && is_wanted(files, which))
            ok = read_wholly(files, which, bundle, NULL, error);
    }
    bundle_close(bundle);
    if (ok && !files->kind)
        return error_input(error, "%s: holds neither CIFAR-10 nor CIFAR-100 in binary files",
                           files->path);
    return ok;
}

/* -- Images ------------------------------------------------------------------------------------ */

/* Checks the sizes of the files, and counts their images. */
static bool check_files(const Files *files, int64_t *count, Error *error)
{
    const Kind *kind = files->kind;
    assert(kind); /* the files have been read */
    *count = 0;
    for (int f = 0; f < kind->files; f++) {
        if (!is_wanted(files, f))
            continue;
        if (!files->bytes[f])
            return error_input(error, "%s: %s of %s is missing", files->path, kind->file[f],
                               kind->name);
        if (files->size[f] == 0 || files->size[f] % row_size(kind) != 0)
            return error_input(error,
                               "%s: %s has %lld bytes, expected a multiple of %lld, the bytes of "
                               "an image of %s (data.format: pictures reads pictures beside it)",
                               files->path, kind->file[f], (long long)files->size[f],
                               (long long)row_size(kind), kind->name);
        *count += files->size[f] / row_size(kind);
    }
    return true;
}

/* Appends the rows of a file to the images. */
static bool take_rows(CifarImages *images, const Files *files, int file, Error *error)
{
    const Kind *kind = files->kind;
    const int64_t rows = files->size[file] / row_size(kind);
    for (int64_t r = 0; r < rows; r++) {
        const uint8_t *row = files->bytes[file] + r * row_size(kind);
        const uint8_t *planes = row + kind->label_bytes;
        uint8_t *pixels = images->pixels + images->count * PIXELS;
        const uint8_t label = row[kind->label_bytes - 1];
        if (label >= kind->classes)
            return error_input(
                error, "%s: image %lld of %s has the label %d, expected one from 0 to %d",
                files->path, (long long)r, kind->file[file], label, kind->classes - 1);
        for (int i = 0; i < PLANE; i++)
            for (int c = 0; c < CIFAR_CHANNELS; c++)
                pixels[i * CIFAR_CHANNELS + c] = planes[c * PLANE + i];
        images->labels[images->count++] = label;
    }
    return true;
}

static bool take_files(CifarImages *images, Files *files, Error *error)
{
    int64_t count = 0;
    if (!check_files(files, &count, error))
        return false;
    images->pixels = memory_large((size_t)count, PIXELS, "images of CIFAR", error);
    images->labels =
        images->pixels ? memory_large((size_t)count, 1, "labels of CIFAR", error) : NULL;
    bool ok = images->labels != NULL;
    for (int f = 0; ok && f < files->kind->files; f++)
        ok = !is_wanted(files, f) || take_rows(images, files, f, error);
    return ok;
}

bool cifar_read(CifarImages *images, const char *path, bool test, Error *error)
{
    *images = (CifarImages){0};
    Files files = {.path = path, .test = test};
    bool ok = (is_directory(path) ? read_directory(&files, error) : read_archive(&files, error)) &&
              take_files(images, &files, error);
    for (int f = 0; f < FILES; f++)
        memory_free(files.bytes[f]);
    if (!ok)
        cifar_free(images);
    return ok;
}

void cifar_free(CifarImages *images)
{
    memory_free(images->pixels);
    memory_free(images->labels);
    *images = (CifarImages){0};
}
