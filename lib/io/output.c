/* Writes through base/atomic_file.h, with the rule of the file's kind (io/file_kind.h). Of several
 * processes the first one writes, and the others wait until it has: they may read the file. */
#include "io/output.h"

#include "base/group.h"
#include "base/memory.h"
#include "config/config_paths.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_has_extension(const char *path, const char *extension)
{
    size_t length = strlen(path), end = strlen(extension);
    return length > end && strcasecmp(path + length - end, extension) == 0;
}

bool output_check_name(const char *option, const char *path, const char *extensions, Error *error)
{
    const char *second = strchr(extensions + 1, '.');
    char first[16] = "";
    memcpy(first, extensions, second ? (size_t)(second - extensions) : strlen(extensions));
    if (output_has_extension(path, first) || (second && output_has_extension(path, second)))
        return true;
    return error_input(error, "%s: expected a name that ends in %s%s%s, got \"%s\"", option, first,
                       second ? " or " : "", second ? second : "", path);
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

void output_inputs_add(OutputInputs *inputs, const char *name, const char *path)
{
    if (!path)
        return;
    assert(inputs->count < OUTPUT_MAX_INPUTS);
    inputs->items[inputs->count].name = name;
    inputs->items[inputs->count++].path = path;
}

/* Whether `path` is one of a list of paths, as data.train may be. */
static bool is_one_of(const char *path, const char *paths)
{
    char one[CONFIG_TEXT_SIZE];
    if (!config_paths_are_several(paths))
        return same_file(path, paths);
    while (config_paths_next(&paths, one))
        if (same_file(path, one))
            return true;
    return false;
}

bool output_check(const char *path, FileKind kind, const OutputInputs *inputs, Error *error)
{
    for (int i = 0; i < inputs->count; i++)
        if (is_one_of(path, inputs->items[i].path))
            return error_input(error, "%s: is %s, which would be lost; name another file to write",
                               path, inputs->items[i].name);
    return atomic_file_possible(path, file_kind_rule(kind), error);
}

/* Opens an atomic file as a stream for write(stream, context), and commits it if all went well. */
static bool write_file(const char *path, FileKind kind,
                       bool (*write)(FILE *to, const void *context), const void *context,
                       Error *error)
{
    AtomicFile file = {0};
    if (!atomic_file_begin(&file, path, file_kind_rule(kind), error))
        return false;
    FILE *to = fdopen(dup(file.fd), "w");
    bool written = to && write(to, context) && !ferror(to);
    written = to && fclose(to) == 0 && written;
    if (written)
        return atomic_file_commit(&file, error);
    error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
    atomic_file_abandon(&file);
    return false;
}

typedef struct Text {
    FileKind kind;
    void (*write)(FILE *to, const void *context);
    const void *context;
} Text;

static bool write_text(FILE *to, const void *context)
{
    const Text *text = context;
    fputs(file_kind_beginning(text->kind), to);
    text->write(to, text->context);
    return true;
}

bool output_text(const char *path, FileKind kind, void (*write)(FILE *to, const void *context),
                 const void *context, Error *error)
{
    const Text text = {.kind = kind, .write = write, .context = context};
    return group_agree(write_file(path, kind, write_text, &text, error), error);
}

typedef struct Bytes {
    const void *bytes;
    size_t size;
} Bytes;

static bool write_bytes(FILE *to, const void *context)
{
    const Bytes *all = context;
    return fwrite(all->bytes, 1, all->size, to) == all->size;
}

bool output_bytes(const char *path, FileKind kind, const void *bytes, size_t size, Error *error)
{
    const Bytes all = {.bytes = bytes, .size = size};
    return group_agree(write_file(path, kind, write_bytes, &all, error), error);
}

char *output_sibling(const char *path, const char *ending)
{
    const size_t length = strlen(path) - (output_has_extension(path, ".csv") ? 4 : 0);
    return memory_format("%.*s%s", (int)length, path, ending);
}
