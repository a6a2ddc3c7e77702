/* The header is made in memory, and the numbers follow: those of a ParamSet lie end to end, mostly
 * in the order of the header. */
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

/* Our tensors in the order of the file: parts of one tensor follow one another. */
typedef struct Order {
    const ParamSet *set;
    NameStyle style;
    const Config *config;
    /* [count] indices of tensors. */
    int *items;
    int count;
} Order;

/* The other parts of tensor `first`, in their order. */
static void add_parts(Order *order, int first, int parts)
{
    char *whole = names_translate(order->style, order->config, order->set->items[first].name);
    for (int k = 1; k < parts; k++)
        for (int i = 0; i < order->set->count; i++) {
            const char *ours = order->set->items[i].name;
            char *name = names_translate(order->style, order->config, ours);
            if (names_part(order->style, order->config, ours).index == k &&
                strcmp(name, whole) == 0)
                order->items[order->count++] = i;
            memory_free(name);
        }
    memory_free(whole);
}

static Order make_order(const ParamSet *set, NameStyle style, const Config *config)
{
    Order order = {.set = set, .style = style, .config = config};
    order.items = memory_small((size_t)set->count, sizeof *order.items);
    for (int i = 0; i < set->count; i++) {
        const NamePart part = names_part(style, config, set->items[i].name);
        if (part.index > 0)
            continue;
        order.items[order.count++] = i;
        add_parts(&order, i, part.count);
    }
    return order;
}

/* The entry of the tensor that item `at` of the order begins; *end := the byte after it, where it
 * was the first. */
static void put_entry(FILE *to, const Order *order, int at, size_t *end)
{
    const Param *param = &order->set->items[order->items[at]];
    const int parts = names_part(order->style, order->config, param->name).count;
    char *name = names_translate(order->style, order->config, param->name);
    fprintf(to, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", name);
    for (int d = 0; d < rank_of(order->style, param); d++)
        fprintf(to, "%s%d", d > 0 ? "," : "", (d == 0 ? parts : 1) * param->shape[d]);
    const size_t begin = *end;
    *end += (size_t)parts * param->count * sizeof(float);
    fprintf(to, "],\"data_offsets\":[%zu,%zu]}", begin, *end);
    memory_free(name);
}

/* The header, padded with spaces to a multiple of eight bytes. The caller frees with free(). */
static char *make_header(const Order *order, const char *recipe, size_t *size)
{
    char *text = NULL;
    size_t end = 0;
    FILE *to = open_memstream(&text, size);
    if (!to)
        return NULL;
    fputs("{\"__metadata__\":{\"format\":\"pt\"", to);
    if (recipe) {
        fputs(",\"varhead\":", to);
        put_text(to, recipe);
    }
    fputc('}', to);
    for (int i = 0; i < order->count; i++)
        if (names_part(order->style, order->config, order->set->items[order->items[i]].name)
                .index == 0)
            put_entry(to, order, i, &end);
    fputc('}', to);
    fflush(to);
    while (*size % 8 != 0) {
        fputc(' ', to);
        fflush(to);
    }
    return fclose(to) == 0 ? text : NULL;
}

/* Numbers that lie end to end in memory, too, are written at once. */
static bool write_numbers(int fd, const char *path, const Order *order, const float *weights,
                          Error *error)
{
    const Param *items = order->set->items;
    for (int i = 0, next; i < order->count; i = next) {
        const size_t begin = items[order->items[i]].offset;
        size_t end = begin;
        for (next = i; next < order->count && items[order->items[next]].offset == end; next++)
            end += items[order->items[next]].count;
        if (!write_all(fd, path, weights + begin, (end - begin) * sizeof *weights, error))
            return false;
    }
    return true;
}

bool safetensors_write(const char *path, const ParamSet *set, NameStyle style, const Config *config,
                       const float *weights, const char *recipe, Error *error)
{
    AtomicFile file;
    unsigned char length[8];
    size_t size = 0;
    Order order = make_order(set, style, config);
    char *header = make_header(&order, recipe, &size);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)size >> (8 * i));
    bool ok = header ? atomic_file_begin(&file, path, only_new, error)
                     : error_runtime(error, "%s: no memory for its header", path);
    if (ok) {
        ok = write_all(file.fd, path, length, sizeof length, error) &&
             write_all(file.fd, path, header, size, error) &&
             write_numbers(file.fd, path, &order, weights, error);
        if (ok)
            ok = atomic_file_commit(&file, error);
        else
            atomic_file_abandon(&file);
    }
    memory_free(header);
    memory_free(order.items);
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
