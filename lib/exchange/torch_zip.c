/* Reads what torch.save writes since PyTorch 1.6: an uncompressed zip archive.
 *
 *     NAME/data.pkl     the object, pickled, with a reference to a storage in each tensor
 *     NAME/data/KEY     the numbers of a storage
 *     NAME/byteorder    "little", in newer files
 *
 * Opening reads the pickle and the sizes of the members. Numbers are read in the order of the
 * members.
 */
#include "base/memory.h"
#include "exchange/tensor_reader.h"
#include "exchange/torch_table.h"
#include "exchange/zip_archive.h"

#include <string.h>

typedef struct State {
    ZipArchive *zip;
    /* "NAME/data/", where NAME/data.pkl is. */
    char *storages;
} State;

/* The part of a member's name after the first folder. */
static const char *name_in_folder(const ZipArchive *zip)
{
    const char *slash = strchr(zip_name(zip), '/');
    return slash ? slash + 1 : "";
}

/* The key of the storage that a member has; NULL if it lies elsewhere. */
static const char *storage_key(const State *state, const ZipArchive *zip)
{
    const size_t length = strlen(state->storages);
    const char *name = zip_name(zip);
    return strncmp(name, state->storages, length) == 0 ? name + length : NULL;
}

/* Reads a whole member of at most `most` bytes, which the caller frees. */
static char *read_member(ZipArchive *zip, const char *path, int64_t most, Error *error)
{
    const int64_t size = zip_size(zip);
    if (size > most) {
        error_input(error, "%s: the member %.80s has %lld bytes, expected at most %lld", path,
                    zip_name(zip), (long long)size, (long long)most);
        return NULL;
    }
    char *bytes = memory_large((size_t)size + 1, 1, path, error);
    if (bytes && !zip_read(zip, bytes, (size_t)size, error)) {
        memory_free(bytes);
        return NULL;
    }
    return bytes;
}

static bool read_pickle(TensorFile *file, ZipArchive *zip, Error *error)
{
    State *state = file->state;
    const char *name = zip_name(zip);
    state->storages = memory_format("%.*s/data/", (int)strcspn(name, "/"), name);
    Pickle *pickle = NULL;
    size_t used;
    const size_t size = (size_t)zip_size(zip);
    char *bytes = read_member(zip, file->path, TORCH_MOST_PICKLE, error);
    const bool ok = bytes &&
                    pickle_read(&pickle, (const uint8_t *)bytes, size, &used, file->path, error) &&
                    torch_fill_table(&file->table, pickle_root(pickle), file->path, error);
    pickle_free(pickle);
    memory_free(bytes);
    return ok;
}

static bool check_byteorder(const TensorFile *file, ZipArchive *zip, Error *error)
{
    char *text = read_member(zip, file->path, 64, error);
    const bool ok = text && (strncmp(text, "little", 6) == 0 ||
                             error_input(error,
                                         "%s: has numbers of byte order %.20s, expected "
                                         "little",
                                         file->path, text));
    memory_free(text);
    return ok;
}

/* The first pass: the pickle, and the byte order. */
static bool find_pickle(TensorFile *file, Error *error)
{
    ZipArchive *zip = NULL;
    bool more = true, found = false;
    bool ok = zip_open(&zip, file->path, error);
    while (ok && (ok = zip_next(zip, &more, error)) && more) {
        const char *name = name_in_folder(zip);
        if (strcmp(name, "data.pkl") == 0 && found)
            ok = error_input(error, "%s: has two members %.80s", file->path, zip_name(zip));
        else if (strcmp(name, "data.pkl") == 0)
            found = ok = read_pickle(file, zip, error);
        else if (strcmp(name, "byteorder") == 0)
            ok = check_byteorder(file, zip, error);
    }
    zip_close(zip);
    return ok && (found || error_input(error,
                                       "%s: is a zip archive without data.pkl, so that "
                                       "torch.save has not written it",
                                       file->path));
}

/* A deflated member may be a thousand times as large as its bytes in the file. */
enum { MOST_DEFLATED = 1100 };

static bool place_storage(TensorFile *file, const ZipArchive *zip, Error *error)
{
    const char *key = storage_key(file->state, zip);
    const int index = key ? table_find_storage(&file->table, key) : -1;
    if (index < 0)
        return true;
    Storage *storage = &file->table.storages[index];
    int64_t bytes;
    if (storage->place >= 0)
        return error_input(error, "%s: has two members %.80s", file->path, zip_name(zip));
    if (__builtin_mul_overflow(storage->count, (int64_t)tensor_type_size(storage->type), &bytes) ||
        bytes != zip_size(zip) || bytes / MOST_DEFLATED > file->size)
        return error_input(error,
                           "%s: the storage %.80s has %lld bytes, expected %lld numbers of %s",
                           file->path, storage->key, (long long)zip_size(zip),
                           (long long)storage->count, tensor_type_name(storage->type));
    storage->place = zip_index(zip);
    return true;
}

/* The second pass: the members of the storages. */
static bool find_storages(TensorFile *file, Error *error)
{
    ZipArchive *zip = NULL;
    bool more = true;
    bool ok = zip_open(&zip, file->path, error);
    while (ok && (ok = zip_next(zip, &more, error)) && more)
        ok = place_storage(file, zip, error);
    zip_close(zip);
    for (int i = 0; ok && i < file->table.storage_count; i++)
        if (file->table.storages[i].place < 0)
            ok = error_input(error, "%s: has no member data/%.80s, which the pickle refers to",
                             file->path, file->table.storages[i].key);
    return ok;
}

static bool torch_zip_open(TensorFile *file, Error *error)
{
    file->state = memory_small(1, sizeof(State));
    return find_pickle(file, error) && find_storages(file, error);
}

static bool torch_zip_seek(TensorFile *file, const Storage *storage, Error *error)
{
    State *state = file->state;
    bool more = true;
    if (state->zip && zip_index(state->zip) >= storage->place) {
        zip_close(state->zip);
        state->zip = NULL;
    }
    if (!state->zip && !zip_open(&state->zip, file->path, error))
        return false;
    while (more && zip_index(state->zip) < storage->place)
        if (!zip_next(state->zip, &more, error))
            return false;
    return more || error_input(error, "%s: has changed while it was read", file->path);
}

static bool torch_zip_next(TensorFile *file, void *bytes, size_t size, Error *error)
{
    return zip_read(((State *)file->state)->zip, bytes, size, error);
}

static void torch_zip_close(TensorFile *file)
{
    State *state = file->state;
    if (state) {
        zip_close(state->zip);
        memory_free(state->storages);
    }
    memory_free(state);
}

const TensorReader torch_zip_reader = {.name = "a file of torch.save",
                                       .open = torch_zip_open,
                                       .seek = torch_zip_seek,
                                       .next = torch_zip_next,
                                       .close = torch_zip_close};
