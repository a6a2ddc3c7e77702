/* Walks through the object that PyTorch pickled. Each container is entered once, so that circles
 * and containers that share others cost nothing; and containers deep inside others are not entered.
 */
#include "exchange/torch_table.h"

#include "base/memory.h"

#include <string.h>

/* An optimizer's state is four levels deep. */
enum { MOST_DEPTH = 6 };

typedef struct Walk {
    TensorTable *table;
    const char *path;
    Error *error;
} Walk;

static char *text_of(const PickleValue *value)
{
    const size_t size = value->as.text.size < 4096 ? value->as.text.size : 4096;
    return memory_format("%.*s", (int)size, value->as.text.bytes);
}

/* -- Storages ---------------------------------------------------------------------------------- */

/* The index of the storage, which is added if it is new; -1 with the error if another one has its
 * key. */
static int storage_of(Walk *w, const PickleValue *value)
{
    char *key = text_of(value->as.storage.key);
    int index = table_find_storage(w->table, key);
    const Storage *known = index >= 0 ? &w->table->storages[index] : NULL;
    if (known &&
        (known->type != value->as.storage.type || known->count != value->as.storage.count)) {
        error_input(w->error, "%s: the storage %.80s has two types or sizes", w->path, key);
        index = -1;
    } else if (!known && w->table->storage_count >= TENSOR_TABLE_LIMIT) {
        error_input(w->error, "%s: has more than %d storages", w->path, TENSOR_TABLE_LIMIT);
    } else if (!known) {
        index =
            table_add_storage(w->table, key, value->as.storage.type, value->as.storage.count, -1);
    }
    memory_free(key);
    return index;
}

static bool add_storage(void *context, const PickleValue *value)
{
    return storage_of(context, value) >= 0;
}

bool torch_add_storages(TensorTable *table, const Pickle *pickle, const char *path, Error *error)
{
    Walk w = {.table = table, .path = path, .error = error};
    return pickle_each(pickle, PICKLE_STORAGE, add_storage, &w);
}

/* -- Tensors ----------------------------------------------------------------------------------- */

/* numbers [rank] := the integers of a tuple. */
static bool integers(const PickleValue *tuple, int64_t *numbers)
{
    for (size_t i = 0; i < tuple->as.list.count; i++) {
        if (tuple->as.list.items[i]->kind != PICKLE_INTEGER)
            return false;
        numbers[i] = tuple->as.list.items[i]->as.integer;
    }
    return true;
}

static bool add_tensor(Walk *w, const char *name, const PickleValue *value)
{
    const PickleValue *shape = value->as.tensor.shape, *stride = value->as.tensor.stride;
    Tensor tensor = {.offset = value->as.tensor.offset->as.integer};
    if (shape->as.list.count > TENSOR_MAX_RANK || stride->as.list.count != shape->as.list.count ||
        !integers(shape, tensor.shape) || !integers(stride, tensor.stride))
        return error_input(w->error,
                           "%s: the tensor %.80s has %zu sizes and %zu strides that are "
                           "no possible shape",
                           w->path, name, shape->as.list.count, stride->as.list.count);
    tensor.rank = (int)shape->as.list.count;
    tensor.storage = storage_of(w, value->as.tensor.storage);
    return tensor.storage >= 0 && table_add_tensor(w->table, w->path, name, &tensor, w->error);
}

static bool has_tensors(const PickleValue *dict)
{
    for (size_t i = 0; dict->kind == PICKLE_DICT && i + 1 < dict->as.list.count; i += 2)
        if (dict->as.list.items[i]->kind == PICKLE_TEXT &&
            dict->as.list.items[i + 1]->kind == PICKLE_TENSOR)
            return true;
    return false;
}

static bool add_group(Walk *w, const PickleValue *dict, const char *place)
{
    bool ok = true;
    table_add_group(w->table, place);
    for (size_t i = 0; ok && i + 1 < dict->as.list.count; i += 2) {
        const PickleValue *key = dict->as.list.items[i], *value = dict->as.list.items[i + 1];
        if (key->kind != PICKLE_TEXT || value->kind != PICKLE_TENSOR)
            continue;
        char *name = text_of(key);
        ok = add_tensor(w, name, value);
        memory_free(name);
    }
    return ok;
}

/* -- Containers -------------------------------------------------------------------------------- */

static bool walk(Walk *w, PickleValue *value, const char *place, int depth);

/* Enters the value under `key` of a dictionary (NULL: entry `index` of a list). */
static bool enter(Walk *w, PickleValue *value, const char *place, const PickleValue *key,
                  size_t index, int depth)
{
    if (value->kind != PICKLE_DICT && value->kind != PICKLE_LIST && value->kind != PICKLE_TUPLE)
        return true;
    char *name = key && key->kind == PICKLE_TEXT ? text_of(key) : memory_format("[%zu]", index);
    char *inside = memory_format("%s%s%s", place, key && place[0] ? "." : "", name);
    const bool ok = walk(w, value, inside, depth + 1);
    memory_free(inside);
    memory_free(name);
    return ok;
}

static bool walk(Walk *w, PickleValue *value, const char *place, int depth)
{
    if (value->visited || depth > MOST_DEPTH)
        return true;
    value->visited = true;
    bool ok = true;
    if (has_tensors(value))
        ok = add_group(w, value, place);
    const size_t count = value->as.list.count;
    for (size_t i = 0; ok && value->kind == PICKLE_DICT && i + 1 < count; i += 2)
        ok = enter(w, value->as.list.items[i + 1], place, value->as.list.items[i], i / 2, depth);
    for (size_t i = 0; ok && value->kind != PICKLE_DICT && i < count; i++)
        ok = enter(w, value->as.list.items[i], place, NULL, i, depth);
    return ok;
}

bool torch_fill_table(TensorTable *table, PickleValue *root, const char *path, Error *error)
{
    Walk w = {.table = table, .path = path, .error = error};
    if (root->kind != PICKLE_DICT && root->kind != PICKLE_LIST && root->kind != PICKLE_TUPLE)
        return error_input(error, "%s: holds no state dict, a dictionary of named tensors", path);
    const bool ok = walk(&w, root, "", 0);
    if (ok && table->tensor_count == 0)
        return error_input(error, "%s: has no tensors in it, expected a state dict", path);
    return ok;
}
