/* Reads safetensors: eight bytes with the length of a header, the header in JSON, and the numbers.
 *
 *     {"conv_in.weight": {"dtype": "F32", "shape": [128, 3, 3, 3], "data_offsets": [0, 13824]},
 *      "__metadata__": {"format": "pt"}}
 *
 * Offsets count from the end of the header. The tensors must fill the rest of the file without gaps
 * and without overlaps, as the format demands. Each tensor is a storage of its own.
 */
#include "base/memory.h"
#include "exchange/json.h"
#include "exchange/tensor_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The format allows headers of up to 100 MB. A tree of JSON takes some eighty bytes for each value, and a
 * value has a brace, a bracket or a comma before it. */
enum { PREFIX = 8, MOST_HEADER = 100000000, MOST_VALUES = 4000000 };

typedef struct State {
    int fd;
    /* The next byte that is read. */
    int64_t at;
} State;

/* What the header is read with. */
typedef struct Header {
    TensorFile *file;
    /* The offset of the numbers in the file, and their bytes. */
    int64_t data, data_size;
    Error *error;
} Header;

static bool find_type(const char *name, TensorType *type)
{
    static const struct {
        const char *name;
        TensorType type;
    } types[] = {{"F32", TENSOR_F32},   {"F16", TENSOR_F16},   {"BF16", TENSOR_BF16},
                 {"F64", TENSOR_F64},   {"I64", TENSOR_INT64}, {"U64", TENSOR_INT64},
                 {"I32", TENSOR_INT32}, {"U32", TENSOR_INT32}, {"I16", TENSOR_INT16},
                 {"U16", TENSOR_INT16}, {"I8", TENSOR_INT8},   {"U8", TENSOR_INT8},
                 {"BOOL", TENSOR_INT8}};
    for (size_t i = 0; name && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0) {
            *type = types[i].type;
            return true;
        }
    return false;
}

/* tensor := the shape in `shape`, with the strides of rows one after the other. */
static bool read_shape(const Json *shape, Tensor *tensor)
{
    int64_t step = 1;
    tensor->rank = (int)json_count(shape);
    if (!json_is_list(shape) || json_count(shape) > TENSOR_MAX_RANK)
        return false;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (!json_is_whole(json_entry(shape, (size_t)i)) ||
            !json_get_integer(json_entry(shape, (size_t)i), &tensor->shape[i]) ||
            tensor->shape[i] < 0)
            return false;
        tensor->stride[i] = step;
        if (__builtin_mul_overflow(step, tensor->shape[i] > 0 ? tensor->shape[i] : 1, &step))
            return false;
    }
    return true;
}

static int64_t product(const Tensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->shape[i]; /* read_shape has seen to overflow */
    return count;
}

static bool is_text(void *context, const char *name, const Json *value)
{
    const Header *h = context;
    return json_is_text(value) ||
           error_input(h->error, "%s: __metadata__ has under %.80s no text", h->file->path, name);
}

/* Texts under names, among them the recipe of a network that varhead exported. */
static bool read_metadata(const Header *h, const Json *metadata)
{
    if (!json_is_map(metadata))
        return error_input(h->error, "%s: __metadata__ is no object with texts", h->file->path);
    h->file->table.recipe = memory_string(json_get_text(json_member(metadata, "varhead")));
    return json_each(metadata, is_text, (void *)h);
}

static bool add_tensor(void *context, const char *name, const Json *entry)
{
    const Header *h = context;
    const char *path = h->file->path, *type_name = json_get_text(json_member(entry, "dtype"));
    const Json *offsets = json_member(entry, "data_offsets");
    Tensor tensor = {0};
    TensorType type;
    int64_t begin, end, bytes;
    if (strcmp(name, "__metadata__") == 0)
        return read_metadata(h, entry);
    if (!find_type(type_name, &type))
        return error_input(
            h->error, "%s: the tensor %.80s has the type %.40s, expected F32, F16, BF16 or F64",
            path, name, type_name ? type_name : "(none)");
    if (!read_shape(json_member(entry, "shape"), &tensor))
        return error_input(h->error, "%s: the tensor %.80s has no possible shape", path, name);
    if (json_count(offsets) != 2 || !json_get_integer(json_entry(offsets, 0), &begin) ||
        !json_get_integer(json_entry(offsets, 1), &end) || begin < 0 || end < begin ||
        end > h->data_size)
        return error_input(
            h->error,
            "%s: the tensor %.80s has impossible data_offsets; the file has %lld bytes "
            "of numbers",
            path, name, (long long)h->data_size);
    const int64_t count = product(&tensor);
    if (__builtin_mul_overflow(count, (int64_t)tensor_type_size(type), &bytes) ||
        bytes != end - begin)
        return error_input(h->error, "%s: the tensor %.80s of shape %s has %lld bytes", path, name,
                           tensor_shape_text(tensor.rank, tensor.shape).text,
                           (long long)(end - begin));
    tensor.storage = table_add_storage(&h->file->table, name, type, count, h->data + begin);
    return table_add_tensor(&h->file->table, path, name, &tensor, h->error);
}

static int by_place(const void *left, const void *right)
{
    const Storage *a = *(const Storage *const *)left, *b = *(const Storage *const *)right;
    return a->place != b->place ? (a->place > b->place) - (a->place < b->place)
                                : (a->count > b->count) - (a->count < b->count);
}

/* The storages follow one another from the header to the end of the file. */
static bool check_places(const Header *h)
{
    const TensorTable *table = &h->file->table;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are sorted */
    const Storage **order = memory_small((size_t)table->storage_count + 1, sizeof *order);
    for (int i = 0; i < table->storage_count; i++)
        order[i] = &table->storages[i];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    qsort(order, (size_t)table->storage_count, sizeof *order, by_place);
    int64_t at = h->data;
    bool ok = true;
    for (int i = 0; ok && i < table->storage_count; i++) {
        if (order[i]->place != at)
            ok = error_input(h->error,
                             "%s: the tensor %.80s begins at byte %lld, and the one "
                             "before it ends at byte %lld",
                             h->file->path, order[i]->key, (long long)(order[i]->place - h->data),
                             (long long)(at - h->data));
        at = order[i]->place + order[i]->count * (int64_t)tensor_type_size(order[i]->type);
    }
    memory_free(order);
    if (ok && at != h->data + h->data_size)
        ok = error_input(h->error, "%s: the tensors end at byte %lld of %lld bytes of numbers",
                         h->file->path, (long long)(at - h->data), (long long)h->data_size);
    return ok;
}

static bool check_values(const Header *h, const char *text, size_t size)
{
    int values = 0;
    for (size_t i = 0; i < size && values <= MOST_VALUES; i++)
        values += text[i] == '{' || text[i] == '[' || text[i] == ',';
    return values <= MOST_VALUES || error_input(h->error, "%s: the header has more than %d values",
                                                h->file->path, MOST_VALUES);
}

static bool read_header(Header *h, const char *text, size_t size)
{
    Json *json = NULL;
    bool ok = check_values(h, text, size) && json_parse(&json, text, size, h->file->path, h->error);
    table_add_group(&h->file->table, "");
    if (ok && !json_is_map(json))
        ok = error_input(h->error, "%s: the header is no JSON object", h->file->path);
    ok = ok && json_each(json, add_tensor, h);
    json_free(json);
    if (ok && h->file->table.tensor_count == 0)
        ok = error_input(h->error, "%s: has no tensors", h->file->path);
    return ok && check_places(h);
}

static bool safetensors_open(TensorFile *file, Error *error)
{
    State *state = file->state = memory_small(1, sizeof *state);
    uint8_t prefix[PREFIX];
    uint64_t length = 0;
    state->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (state->fd < 0)
        return error_input(error, "%s: %s", file->path, strerror(errno));
    if (!read_at(state->fd, file->path, 0, prefix, sizeof prefix, error))
        return false;
    for (int i = 0; i < PREFIX; i++)
        length |= (uint64_t)prefix[i] << (8 * i);
    if (length > MOST_HEADER && length <= (uint64_t)(file->size - PREFIX))
        return error_input(error,
                           "%s: the header of safetensors has %llu bytes, expected at most %d",
                           file->path, (unsigned long long)length, MOST_HEADER);
    if (length > (uint64_t)(file->size - PREFIX))
        return error_input(error,
                           "%s: the header of safetensors would have %llu bytes, the file has %lld "
                           "(is it complete?)",
                           file->path, (unsigned long long)length, (long long)file->size);
    char *text = memory_large((size_t)length, 1, "the header of safetensors", error);
    Header header = {.file = file,
                     .data = PREFIX + (int64_t)length,
                     .data_size = file->size - PREFIX - (int64_t)length,
                     .error = error};
    const bool ok = text && read_at(state->fd, file->path, PREFIX, text, (size_t)length, error) &&
                    read_header(&header, text, (size_t)length);
    memory_free(text);
    return ok;
}

static bool safetensors_seek(TensorFile *file, const Storage *storage, Error *error)
{
    (void)error;
    State *state = file->state;
    state->at = storage->place;
    return true;
}

static bool safetensors_next(TensorFile *file, void *bytes, size_t size, Error *error)
{
    State *state = file->state;
    const bool ok = read_at(state->fd, file->path, state->at, bytes, size, error);
    state->at += (int64_t)size;
    return ok;
}

static void safetensors_close(TensorFile *file)
{
    State *state = file->state;
    if (state && state->fd >= 0)
        close(state->fd);
    memory_free(state);
}

const TensorReader safetensors_reader = {.name = "a safetensors file",
                                         .open = safetensors_open,
                                         .seek = safetensors_seek,
                                         .next = safetensors_next,
                                         .close = safetensors_close};
