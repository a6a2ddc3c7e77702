#include "output.h"

#include "base/memory.h"
#include "io/atomic_file.h"
#include "io/hdf5_file.h"

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

/* What an HDF5 file says that it is; NULL: nothing, or it is none. Caller frees. */
static char *format_of(const char *path)
{
    Hdf5File *file = NULL;
    Error unused;
    char *format = NULL;
    if (access(path, F_OK) != 0 || !hdf5_open(&file, path, &unused))
        return NULL;
    if (!hdf5_attribute_exists(file, "/", "format") ||
        !hdf5_read_attribute_string(file, "/", "format", &format, &unused))
        format = NULL;
    hdf5_close(file);
    return format;
}

/* Checkpoints, tables of dp, classifiers: what took long to make. */
static bool is_kept(const char *format)
{
    return format && strcmp(format, NLL_TERMS_FORMAT) != 0 && strcmp(format, SWEEP_FORMAT) != 0 &&
           strcmp(format, QUALITY_FORMAT) != 0;
}

bool output_replaces(const char *path, const char *format, Error *error)
{
    char *found = format_of(path);
    const bool ok = access(path, F_OK) != 0 || (found && strcmp(found, format) == 0);
    memory_free(found);
    return ok || error_input(error,
                             "%s: is in the way, and is not a %s file; move it, or name "
                             "another place with --out",
                             path, format);
}

bool output_is_not(const char *path, const char *input, Error *error)
{
    struct stat written, read;
    if (stat(path, &written) == 0 && stat(input, &read) == 0 && written.st_dev == read.st_dev &&
        written.st_ino == read.st_ino)
        return error_input(error, "%s: is the input too; name another file to write", path);
    return true;
}

bool output_check(const char *path, Error *error)
{
    char *format = format_of(path);
    const bool kept = is_kept(format);
    if (kept)
        error_input(error, "%s: is a %s, which would be lost; name another file to write", path,
                    strcmp(format, "varhead-checkpoint") == 0 ? "checkpoint" : format);
    memory_free(format);
    if (kept)
        return false;
    /* To begin the file is the exact test: it needs the directory, the permission and a name. */
    AtomicFile probe;
    if (!atomic_file_begin(&probe, path, error))
        return false;
    atomic_file_abandon(&probe);
    return true;
}

bool output_check_beside(const char *path, const char *const *inputs, int count, Error *error)
{
    for (int i = 0; i < count; i++)
        if (inputs[i] && !output_is_not(path, inputs[i], error))
            return false;
    return output_check(path, error);
}

bool output_text(const char *path, void (*write)(FILE *to, const void *context),
                 const void *context, Error *error)
{
    AtomicFile file = {0};
    if (!atomic_file_begin(&file, path, error))
        return false;
    FILE *to = fdopen(dup(file.fd), "w");
    bool written = to != NULL;
    if (to) {
        write(to, context);
        written = !ferror(to);
        written = fclose(to) == 0 && written;
    }
    if (written)
        return atomic_file_commit(&file, error);
    error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
    atomic_file_abandon(&file);
    return false;
}

char *output_sibling(const char *path, const char *ending)
{
    const size_t length = strlen(path) - (output_has_extension(path, ".csv") ? 4 : 0);
    return memory_format("%.*s%s", (int)length, path, ending);
}
