/* Reads wanted tensors in one pass over a file, a megabyte at a time.
 *
 * Wishes are sorted by the place of their storage, and storages are visited in the order of the
 * file. A block of a storage is a range of numbers. A contiguous tensor takes the part of the range
 * that belongs to it, converted to float32. A tensor with other strides collects the stretch from
 * its first to its last number, and is gathered from there when the stretch is complete.
 */
#include "base/memory.h"
#include "exchange/half.h"
#include "exchange/tensor_reader.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a block: a multiple of the size of every type. */
enum { BLOCK = 1 << 20 };

typedef struct Wanted {
    const Tensor *tensor;
    const Storage *storage;
    float *to;
    /* The numbers first .. last of the storage. */
    int64_t first, last;
    bool contiguous;
    /* [last - first + 1]: the stretch, while a tensor with other strides is read. */
    float *stretch;
} Wanted;

static bool is_contiguous(const Tensor *tensor)
{
    int64_t step = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] > 1 && tensor->stride[i] != step)
            return false;
        step *= tensor->shape[i];
    }
    return true;
}

static Wanted wanted(const TensorTable *table, const TensorWish *wish)
{
    const Tensor *tensor = &table->tensors[wish->tensor];
    int64_t last = tensor->offset;
    for (int i = 0; i < tensor->rank; i++)
        last += (tensor->shape[i] - 1) * tensor->stride[i];
    return (Wanted){.tensor = tensor,
                    .storage = &table->storages[tensor->storage],
                    .to = wish->to,
                    .first = tensor->offset,
                    .last = last,
                    .contiguous = is_contiguous(tensor)};
}

static int by_place(const void *left, const void *right)
{
    const Wanted *a = left, *b = right;
    if (a->storage->place != b->storage->place)
        return a->storage->place < b->storage->place ? -1 : 1;
    if (a->storage != b->storage)
        return a->storage < b->storage ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* -- One block --------------------------------------------------------------------------------- */

static void convert(float *to, TensorType type, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        double number;
        switch (type) {
        case TENSOR_F16:
            memcpy(&half, from + 2 * i, sizeof half);
            to[i] = half_to_float(half);
            break;
        case TENSOR_BF16:
            memcpy(&half, from + 2 * i, sizeof half);
            to[i] = bfloat_to_float(half);
            break;
        case TENSOR_F64:
            memcpy(&number, from + 8 * i, sizeof number);
            to[i] = (float)number;
            break;
        default:
            memcpy(to + i, from + 4 * i, sizeof *to);
            break;
        }
    }
}

/* to := the numbers of the tensor, row by row, from its stretch. */
static void gather(const Wanted *w)
{
    const Tensor *t = w->tensor;
    int64_t at[TENSOR_MAX_RANK] = {0}, from = 0;
    for (int64_t i = 0; i < t->count; i++) {
        w->to[i] = w->stretch[from];
        for (int d = t->rank - 1; d >= 0; d--) {
            from += t->stride[d];
            if (++at[d] < t->shape[d])
                break;
            from -= at[d] * t->stride[d];
            at[d] = 0;
        }
    }
}

/* Takes what the tensor has of the numbers begin .. end - 1, which lie at `bytes`. *taken grows by the
 * numbers of the tensor that are there now. */
static bool take(Wanted *w, const unsigned char *bytes, int64_t begin, int64_t end, int64_t *taken,
                 Error *error)
{
    const int64_t from = w->first > begin ? w->first : begin;
    const int64_t until = w->last + 1 < end ? w->last + 1 : end;
    if (from >= until)
        return true;
    if (!w->contiguous && !w->stretch)
        w->stretch =
            memory_large((size_t)(w->last - w->first + 1), sizeof(float), w->tensor->name, error);
    float *to = w->contiguous ? w->to : w->stretch;
    if (!to)
        return false;
    convert(to + (from - w->first), w->storage->type,
            bytes + (size_t)(from - begin) * tensor_type_size(w->storage->type),
            (size_t)(until - from));
    if (w->contiguous)
        *taken += until - from;
    if (w->stretch && until == w->last + 1) {
        gather(w);
        *taken += w->tensor->count;
        memory_free(w->stretch);
        w->stretch = NULL;
    }
    return true;
}

/* -- One storage ------------------------------------------------------------------------------- */

/* Reads the wishes of one storage, which are sorted by their first number. */
static bool read_storage(TensorFile *file, Wanted *wishes, int count, unsigned char *block,
                         Error *error)
{
    const Storage *storage = wishes[0].storage;
    const int64_t size = (int64_t)tensor_type_size(storage->type);
    int64_t begin = 0;
    if (!file->reader->seek(file, storage, error))
        return false;
    /* To the end of the storage, where an archive has its checksum. */
    while (begin < storage->count) {
        const int64_t left = storage->count - begin;
        const int64_t numbers = left < BLOCK / size ? left : BLOCK / size;
        if (!file->reader->next(file, block, (size_t)(numbers * size), error))
            return false;
        int64_t taken = 0;
        for (int i = 0; i < count && wishes[i].first < begin + numbers; i++)
            if (!take(&wishes[i], block, begin, begin + numbers, &taken, error))
                return false;
        if (file->watch)
            file->watch(file->watch_context, taken);
        begin += numbers;
    }
    return true;
}

static bool check_wish(const TensorFile *file, const TensorWish *wish, Error *error)
{
    const Tensor *tensor = &file->table.tensors[wish->tensor];
    const TensorType type = file->table.storages[tensor->storage].type;
    if (type >= TENSOR_INT8)
        return error_input(error, "%s: the tensor %.80s has numbers of type %s, expected floats",
                           file->path, tensor->name, tensor_type_name(type));
    return true;
}

bool tensor_file_read(TensorFile *file, const TensorWish *wishes, int count, Error *error)
{
    Wanted *sorted = memory_small((size_t)count + 1, sizeof *sorted);
    unsigned char *block = memory_small(BLOCK, 1);
    int used = 0;
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        ok = check_wish(file, &wishes[i], error);
        if (ok && file->table.tensors[wishes[i].tensor].count > 0)
            sorted[used++] = wanted(&file->table, &wishes[i]);
    }
    qsort(sorted, (size_t)used, sizeof *sorted, by_place);
    for (int i = 0, next; ok && i < used; i = next) {
        for (next = i + 1; next < used && sorted[next].storage == sorted[i].storage; next++)
            continue;
        ok = read_storage(file, sorted + i, next - i, block, error);
    }
    for (int i = 0; i < used; i++)
        memory_free(sorted[i].stretch);
    memory_free(sorted);
    memory_free(block);
    return ok;
}
