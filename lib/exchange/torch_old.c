/* Reads what torch.save wrote before PyTorch 1.6: five pickles, and then the storages.
 *
 *     a number by which the format is known (10 bytes), the version 1001,
 *     a dictionary about the machine, the object, and the list of the keys of its storages;
 *     for each key: how many numbers (8 bytes), and the numbers
 */
#include "base/memory.h"
#include "exchange/tensor_reader.h"
#include "exchange/torch_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1001, COUNT_BYTES = 8 };

static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

typedef struct State {
    int fd;
    /* The next byte that is read. */
    int64_t at;
} State;

/* The pickles, one after the other. */
typedef struct Sequence {
    TensorFile *file;
    const uint8_t *bytes;
    size_t size, at;
    Error *error;
} Sequence;

static bool next_pickle(Sequence *s, Pickle **pickle)
{
    size_t used;
    const bool ok =
        pickle_read(pickle, s->bytes + s->at, s->size - s->at, &used, s->file->path, s->error);
    s->at += ok ? used : 0;
    return ok;
}

static bool is_magic(const PickleValue *value)
{
    return value->kind == PICKLE_LONG && value->as.text.size == sizeof magic &&
           memcmp(value->as.text.bytes, magic, sizeof magic) == 0;
}

static bool is_version(const PickleValue *value)
{
    return value->kind == PICKLE_INTEGER && value->as.integer == VERSION;
}

static bool is_little(const PickleValue *value)
{
    const PickleValue *little = pickle_member(value, "little_endian");
    return little && little->kind == PICKLE_TRUTH && little->as.truth;
}

/* Reads the next pickle, and complains with `what` unless it passes the check. */
static bool expect(Sequence *s, bool (*passes)(const PickleValue *), const char *what)
{
    Pickle *pickle = NULL;
    if (!next_pickle(s, &pickle))
        return false;
    const bool ok =
        passes(pickle_root(pickle)) ||
        error_input(s->error, "%s: is a pickle, but none of torch.save: %s", s->file->path, what);
    pickle_free(pickle);
    return ok;
}

/* Sets the place of a storage whose count stands at byte *at, and moves *at behind its numbers. */
static bool place_storage(Sequence *s, const PickleValue *key, int64_t *at)
{
    TensorFile *file = s->file;
    char name[128];
    uint8_t bytes[COUNT_BYTES];
    int64_t count, size;
    if (key->kind != PICKLE_TEXT || key->as.text.size >= sizeof name)
        return error_input(s->error, "%s: the list of storages has an entry that is no key",
                           file->path);
    memcpy(name, key->as.text.bytes, key->as.text.size);
    name[key->as.text.size] = '\0';
    const int index = table_find_storage(&file->table, name);
    if (index < 0)
        return error_input(s->error,
                           "%s: has the numbers of a storage %.80s that the object does not have",
                           file->path, name);
    Storage *storage = &file->table.storages[index];
    if (!read_at(((State *)file->state)->fd, file->path, *at, bytes, sizeof bytes, s->error))
        return false;
    memcpy(&count, bytes, sizeof count);
    if (count != storage->count || storage->place >= 0)
        return error_input(s->error, "%s: the storage %.80s has %lld numbers, expected %lld",
                           file->path, name, (long long)count, (long long)storage->count);
    storage->place = *at + COUNT_BYTES;
    if (__builtin_mul_overflow(count, (int64_t)tensor_type_size(storage->type), &size) ||
        size > file->size - storage->place)
        return error_input(s->error, "%s: ends inside the storage %.80s (is it complete?)",
                           file->path, name);
    *at = storage->place + size;
    return true;
}

static bool place_storages(Sequence *s)
{
    Pickle *pickle = NULL;
    if (!next_pickle(s, &pickle))
        return false;
    const PickleValue *keys = pickle_root(pickle);
    TensorTable *table = &s->file->table;
    int64_t at = (int64_t)s->at;
    bool ok = keys->kind == PICKLE_LIST ||
              error_input(s->error, "%s: has no list of storages", s->file->path);
    for (size_t i = 0; ok && i < keys->as.list.count; i++)
        ok = place_storage(s, keys->as.list.items[i], &at);
    for (int i = 0; ok && i < table->storage_count; i++)
        if (table->storages[i].place < 0)
            ok = error_input(s->error, "%s: lacks the storage %.80s", s->file->path,
                             table->storages[i].key);
    pickle_free(pickle);
    return ok;
}

static bool read_object(Sequence *s)
{
    Pickle *pickle = NULL;
    const bool ok =
        next_pickle(s, &pickle) &&
        torch_fill_table(&s->file->table, pickle_root(pickle), s->file->path, s->error) &&
        torch_add_storages(&s->file->table, pickle, s->file->path, s->error);
    pickle_free(pickle);
    return ok;
}

static bool torch_old_open(TensorFile *file, Error *error)
{
    State *state = file->state = memory_small(1, sizeof *state);
    state->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (state->fd < 0)
        return error_input(error, "%s: %s", file->path, strerror(errno));
    const size_t size = file->size < TORCH_MOST_PICKLE ? (size_t)file->size : TORCH_MOST_PICKLE;
    uint8_t *bytes = memory_large(size, 1, file->path, error);
    Sequence s = {.file = file, .bytes = bytes, .size = size, .error = error};
    const bool ok = bytes && read_at(state->fd, file->path, 0, bytes, size, error) &&
                    expect(&s, is_magic, "it does not begin with PyTorch's number") &&
                    expect(&s, is_version, "its version is not 1001") &&
                    expect(&s, is_little, "its numbers are not little-endian") && read_object(&s) &&
                    place_storages(&s);
    memory_free(bytes);
    return ok;
}

static bool torch_old_seek(TensorFile *file, const Storage *storage, Error *error)
{
    (void)error;
    ((State *)file->state)->at = storage->place;
    return true;
}

static bool torch_old_next(TensorFile *file, void *bytes, size_t size, Error *error)
{
    State *state = file->state;
    const bool ok = read_at(state->fd, file->path, state->at, bytes, size, error);
    state->at += (int64_t)size;
    return ok;
}

static void torch_old_close(TensorFile *file)
{
    State *state = file->state;
    if (state && state->fd >= 0)
        close(state->fd);
    memory_free(state);
}

const TensorReader torch_old_reader = {.name = "a file of torch.save from before PyTorch 1.6",
                                       .open = torch_old_open,
                                       .seek = torch_old_seek,
                                       .next = torch_old_next,
                                       .close = torch_old_close};
