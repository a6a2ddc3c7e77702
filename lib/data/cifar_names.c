/* Finds the file, as cifar.c finds those of the images, and takes its lines. Names are only shown: a file
 * that cannot be read is no error. */
#include "data/cifar_names.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "data/bundle.h"

#include <string.h>
#include <sys/stat.h>

enum { KINDS = 2, MOST_BYTES = 1 << 14 };

static const struct {
    const char *folder, *file;
} kinds[KINDS] = {{"cifar-10-batches-bin", "batches.meta.txt"},
                  {"cifar-100-binary", "fine_label_names.txt"}};

/* text [MOST_BYTES + 1] := the beginning of the file. False if it cannot be opened. */
static bool read_file(char *path, char *text)
{
    FILE *file = input_file_open(path);
    memory_free(path);
    if (!file)
        return false;
    text[fread(text, 1, MOST_BYTES, file)] = '\0';
    fclose(file);
    return true;
}

static bool read_directory(const char *path, char *text)
{
    for (int k = 0; k < KINDS; k++)
        if (read_file(memory_format("%s/%s", path, kinds[k].file), text) ||
            read_file(memory_format("%s/%s/%s", path, kinds[k].folder, kinds[k].file), text))
            return true;
    return false;
}

static bool is_wanted(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    for (int k = 0; k < KINDS; k++)
        if (strcmp(base, kinds[k].file) == 0)
            return true;
    return false;
}

static bool read_archive(const char *path, char *text)
{
    Bundle *bundle = NULL;
    BundleFile file;
    Error unused;
    int64_t got = 0;
    bool found = false, ok = bundle_open(&bundle, path, &unused);
    while (ok && !found && (ok = bundle_next(bundle, &file, &unused)) && file.name)
        if (is_wanted(file.name))
            found = ok = bundle_read(bundle, (uint8_t *)text, MOST_BYTES, &got, &unused);
    text[got] = '\0';
    bundle_close(bundle);
    return found;
}

int cifar_class_names(const char *path, char *names[CIFAR_MOST_CLASSES])
{
    struct stat status;
    char *text = memory_small(MOST_BYTES + 1, 1), *rest = NULL;
    const bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    int count = 0;
    if (is_directory ? read_directory(path, text) : read_archive(path, text))
        for (char *line = strtok_r(text, "\r\n", &rest); line && count < CIFAR_MOST_CLASSES;
             line = strtok_r(NULL, "\r\n", &rest))
            names[count++] = memory_string(line);
    memory_free(text);
    return count;
}
