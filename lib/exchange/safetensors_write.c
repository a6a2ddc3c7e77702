/* The header is made in memory, and the numbers follow as they lie: a ParamSet has its tensors end
 * to end, in the order of the header. */
#include "exchange/safetensors_write.h"

#include "base/atomic_file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Nothing is ever replaced. */
static bool is_new(const char *path, int kind, Error *error)
{
    (void)kind;
    return access(path, F_OK) != 0 ||
           error_input(error, "%s: is there already; name another file to write", path);
}

static const AtomicRule only_new = {.allows = is_new};

static bool write_all(int fd, const char *path, const void *bytes, size_t size, Error *error)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t put = write(fd, (const char *)bytes + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return error_runtime(error, "%s: can't be written: %s", path, strerror(errno));
        done += (size_t)put;
    }
    return true;
}

/* A text in the quotes of JSON. */
static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n')
            fputs("\\n", to);
        else if (*c == '"' || *c == '\\')
            fprintf(to, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            fprintf(to, "\\u%04x", (unsigned)*c);
        else
            fputc(*c, to);
    }
    fputc('"', to);
}

/* Linear layers of diffusers' attention have two dimensions, our 1x1 convolutions four. */
static int rank_of(NameStyle style, const Param *param)
{
    const bool attention = strstr(param->name, ".attn") != NULL;
    return style == NAMES_DIFFUSERS && attention && param->rank == 4 ? 2 : param->rank;
}

/* The header, padded with spaces to a multiple of eight bytes. The caller frees with free(). */
static char *make_header(const ParamSet *set, NameStyle style, int levels, const char *recipe,
                         size_t *size)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    if (!to)
        return NULL;
    fputs("{\"__metadata__\":{\"format\":\"pt\"", to);
    if (recipe) {
        fputs(",\"varhead\":", to);
        put_text(to, recipe);
    }
    fputc('}', to);
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        char *name = names_translate(style, levels, param->name);
        fprintf(to, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", name);
        for (int d = 0; d < rank_of(style, param); d++)
            fprintf(to, "%s%d", d > 0 ? "," : "", param->shape[d]);
        fprintf(to, "],\"data_offsets\":[%zu,%zu]}", param->offset * sizeof(float),
                (param->offset + param->count) * sizeof(float));
        memory_free(name);
    }
    fputc('}', to);
    fflush(to);
    while (*size % 8 != 0) {
        fputc(' ', to);
        fflush(to);
    }
    return fclose(to) == 0 ? text : NULL;
}

bool safetensors_write(const char *path, const ParamSet *set, NameStyle style, int levels,
                       const float *weights, const char *recipe, Error *error)
{
    AtomicFile file;
    unsigned char length[8];
    size_t size = 0;
    char *header = make_header(set, style, levels, recipe, &size);
    if (!header)
        return error_runtime(error, "%s: no memory for its header", path);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)size >> (8 * i));
    bool ok = atomic_file_begin(&file, path, only_new, error);
    if (ok) {
        ok = write_all(file.fd, path, length, sizeof length, error) &&
             write_all(file.fd, path, header, size, error) &&
             write_all(file.fd, path, weights, set->size * sizeof *weights, error);
        if (ok)
            ok = atomic_file_commit(&file, error);
        else
            atomic_file_abandon(&file);
    }
    memory_free(header);
    return ok;
}

bool new_file_write(const char *path, const char *text, Error *error)
{
    AtomicFile file;
    if (!atomic_file_begin(&file, path, only_new, error))
        return false;
    if (write_all(file.fd, path, text, strlen(text), error))
        return atomic_file_commit(&file, error);
    atomic_file_abandon(&file);
    return false;
}
