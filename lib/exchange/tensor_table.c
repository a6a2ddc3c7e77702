/* The table of tensors, its checks, and the choice of a reader by the first bytes of a file.
 *
 * Every number in a file may be a lie. So products and sums of sizes are computed with a test for
 * overflow, and a tensor enters the table only if its last number lies inside its storage.
 */
#include "exchange/tensor_table.h"

#include "base/fingerprint.h"
#include "base/foreign_file.h"
#include "base/input_file.h"
#include "base/memory.h"
#include "exchange/tensor_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char expected[] = "weights (safetensors, or a file of torch.save)";

const char *tensor_type_name(TensorType type)
{
    static const char *const names[TENSOR_TYPES] = {"float32", "float16", "bfloat16", "float64",
                                                    "int8",    "int16",   "int32",    "int64"};
    return names[type];
}

size_t tensor_type_size(TensorType type)
{
    static const size_t sizes[TENSOR_TYPES] = {4, 2, 2, 8, 1, 2, 4, 8};
    return sizes[type];
}

ShapeText tensor_shape_text(int rank, const int64_t *shape)
{
    ShapeText text = {"["};
    size_t used = 1;
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(text.text + used, sizeof text.text - used, "%s%lld",
                                 i > 0 ? ", " : "", (long long)shape[i]);
    snprintf(text.text + used, sizeof text.text - used, "]");
    return text;
}

/* -- Filling ---------------------------------------------------------------------------------- */

/* Makes room for one more item where the number of items has reached a power of two. */
static void *with_room(void *items, int count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return items;
    return memory_grow(items, count > 0 ? 2 * (size_t)count : 1, size);
}

int table_add_group(TensorTable *table, const char *name)
{
    table->groups = with_room(table->groups, table->group_count, sizeof *table->groups);
    table->groups[table->group_count] =
        (TensorGroup){.name = memory_string(name), .first = table->tensor_count};
    return table->group_count++;
}

/* The slot that has the key, or the empty one where it belongs. */
static int slot_of(const TensorTable *table, const char *key)
{
    const int mask = table->slot_count - 1;
    const uint64_t print = fingerprint(FINGERPRINT_START, (const uint8_t *)key, strlen(key));
    int slot = (int)(print & (uint64_t)mask);
    while (table->slots[slot] && strcmp(table->storages[table->slots[slot] - 1].key, key) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

/* At least half of the slots stay empty. */
static void make_slots(TensorTable *table)
{
    if (2 * (table->storage_count + 1) <= table->slot_count)
        return;
    table->slot_count = table->slot_count > 0 ? 2 * table->slot_count : 64;
    memory_free(table->slots);
    table->slots = memory_small((size_t)table->slot_count, sizeof *table->slots);
    for (int i = 0; i < table->storage_count; i++)
        table->slots[slot_of(table, table->storages[i].key)] = i + 1;
}

int table_find_storage(const TensorTable *table, const char *key)
{
    return table->slot_count > 0 ? table->slots[slot_of(table, key)] - 1 : -1;
}

int table_add_storage(TensorTable *table, const char *key, TensorType type, int64_t count,
                      int64_t place)
{
    make_slots(table);
    table->storages = with_room(table->storages, table->storage_count, sizeof *table->storages);
    table->storages[table->storage_count] =
        (Storage){.key = memory_string(key), .type = type, .count = count, .place = place};
    table->slots[slot_of(table, key)] = table->storage_count + 1;
    return table->storage_count++;
}

/* *count := the product of the shape, *last := the place of the last number. False if a size or a
 * stride is negative, or if a result does not fit in 64 bits. */
static bool extent(const Tensor *tensor, int64_t *count, int64_t *last)
{
    *count = 1;
    *last = tensor->offset;
    bool empty = false;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t way;
        if (tensor->shape[i] < 0 || tensor->stride[i] < 0)
            return false;
        empty = empty || tensor->shape[i] == 0;
        if (__builtin_mul_overflow(*count, tensor->shape[i] > 0 ? tensor->shape[i] : 1, count) ||
            (tensor->shape[i] > 1 &&
             (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &way) ||
              __builtin_add_overflow(*last, way, last))))
            return false;
    }
    if (empty)
        *count = 0;
    return true;
}

bool table_add_tensor(TensorTable *table, const char *path, const char *name, const Tensor *tensor,
                      Error *error)
{
    const Storage *storage = &table->storages[tensor->storage];
    int64_t count, last;
    if (table->tensor_count >= TENSOR_TABLE_LIMIT)
        return error_input(error, "%s: has more than %d tensors", path, TENSOR_TABLE_LIMIT);
    if (tensor->offset < 0 || !extent(tensor, &count, &last))
        return error_input(
            error, "%s: the tensor %.80s has the impossible shape %s, strides %s and offset %lld",
            path, name, tensor_shape_text(tensor->rank, tensor->shape).text,
            tensor_shape_text(tensor->rank, tensor->stride).text, (long long)tensor->offset);
    if (count > 0 && last >= storage->count)
        return error_input(error,
                           "%s: the tensor %.80s reaches to number %lld of a storage that has %lld",
                           path, name, (long long)last + 1, (long long)storage->count);
    table->tensors = with_room(table->tensors, table->tensor_count, sizeof *table->tensors);
    Tensor *added = &table->tensors[table->tensor_count++];
    *added = *tensor;
    added->name = memory_string(name);
    added->count = count;
    added->group = table->group_count - 1;
    table->groups[added->group].count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool table_check_names(const TensorTable *table, const char *path, Error *error)
{
    bool ok = true;
    for (int g = 0; ok && g < table->group_count; g++) {
        const TensorGroup *group = &table->groups[g];
        char **names = memory_small((size_t)group->count + 1, sizeof *names);
        for (int i = 0; i < group->count; i++)
            names[i] = table->tensors[group->first + i].name;
        qsort(names, (size_t)group->count, sizeof *names, by_name);
        for (int i = 1; ok && i < group->count; i++)
            if (strcmp(names[i - 1], names[i]) == 0)
                ok = error_input(error, "%s: has two tensors %.80s", path, names[i]);
        memory_free(names);
    }
    return ok;
}

int tensor_find(const TensorTable *table, int group, const char *name)
{
    const TensorGroup *in = &table->groups[group];
    for (int i = in->first; i < in->first + in->count; i++)
        if (strcmp(table->tensors[i].name, name) == 0)
            return i;
    return -1;
}

/* -- Opening ---------------------------------------------------------------------------------- */

bool read_at(int fd, const char *path, int64_t offset, void *bytes, size_t size, Error *error)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t got =
            pread(fd, (char *)bytes + done, size - done, (off_t)(offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_input(error, "%s: %s", path, strerror(errno));
        if (got == 0)
            return error_input(error, "%s: ends at byte %lld, expected %lld more", path,
                               (long long)(offset + (int64_t)done), (long long)(size - done));
        done += (size_t)got;
    }
    return true;
}

static bool refuse(const char *path, Error *error)
{
    const ForeignKind kind = foreign_kind_of(path);
    if (kind.text[0] == '\0')
        return error_input(error, "%s: is no file of weights that is known here, expected %s", path,
                           expected);
    return error_input(error, "%s: is %s, expected %s", path, kind.text, expected);
}

static bool is_named_safetensors(const char *path)
{
    static const char ending[] = ".safetensors";
    const size_t length = strlen(path), ends = sizeof ending - 1;
    return length > ends && strcmp(path + length - ends, ending) == 0;
}

/* A header of safetensors begins with its length, of eight bytes, and a brace. Where the brace is
 * missing, the name tells what the file should be. */
static const TensorReader *reader_of(const char *path, const uint8_t *bytes, size_t size)
{
    if (size >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0)
        return &torch_zip_reader;
    if (size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5)
        return &torch_old_reader;
    if (size >= 9 && bytes[8] == '{')
        return &safetensors_reader;
    return is_named_safetensors(path) && foreign_kind_of(path).text[0] == '\0' ? &safetensors_reader
                                                                               : NULL;
}

static bool choose_reader(TensorFile *file, Error *error)
{
    uint8_t bytes[16];
    const size_t size = file->size < (int64_t)sizeof bytes ? (size_t)file->size : sizeof bytes;
    const int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_input(error, "%s: %s", file->path, strerror(errno));
    const bool ok = read_at(fd, file->path, 0, bytes, size, error);
    close(fd);
    if (!ok)
        return false;
    file->reader = reader_of(file->path, bytes, size);
    return file->reader || refuse(file->path, error);
}

bool tensor_file_is_known(const char *path)
{
    TensorFile file = {.path = (char *)path};
    Error unused;
    return input_file_check(path, expected, &file.size, &unused) && choose_reader(&file, &unused);
}

bool tensor_file_open(TensorFile **result, const char *path, Error *error)
{
    TensorFile *file = memory_small(1, sizeof *file);
    file->path = memory_string(path);
    const bool ok = input_file_check(path, expected, &file->size, error) &&
                    choose_reader(file, error) && file->reader->open(file, error) &&
                    table_check_names(&file->table, path, error);
    *result = ok ? file : NULL;
    if (!ok)
        tensor_file_close(file);
    return ok;
}

void tensor_file_close(TensorFile *file)
{
    if (!file)
        return;
    if (file->reader)
        file->reader->close(file);
    for (int i = 0; i < file->table.tensor_count; i++)
        memory_free(file->table.tensors[i].name);
    for (int i = 0; i < file->table.group_count; i++)
        memory_free(file->table.groups[i].name);
    for (int i = 0; i < file->table.storage_count; i++)
        memory_free(file->table.storages[i].key);
    memory_free(file->table.recipe);
    memory_free(file->table.tensors);
    memory_free(file->table.groups);
    memory_free(file->table.storages);
    memory_free(file->table.slots);
    memory_free(file->path);
    memory_free(file);
}

void tensor_file_watch(TensorFile *file, void (*watch)(void *context, int64_t numbers),
                       void *context)
{
    file->watch = watch;
    file->watch_context = context;
}

const TensorTable *tensor_file_table(const TensorFile *file)
{
    return &file->table;
}

const char *tensor_file_path(const TensorFile *file)
{
    return file->path;
}

const char *tensor_file_format_name(const TensorFile *file)
{
    return file->reader->name;
}
