/* Reads wanted tensors in one pass over a file, a megabyte at a time.
 *
 * Wishes are sorted by the place of their storage, and storages are visited in the order of the
 * file. A block of a storage is a range of numbers. A contiguous tensor takes the part of the range
 * that belongs to it, converted to float32. Tensors with other strides are gathered from the
 * stretch of the storage that they lie in, which is kept as float32 until the storage has been read.
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
} Wanted;

/* The numbers first .. last of a storage, in which all tensors with other strides lie. */
typedef struct Stretch {
    int64_t first, last;
    /* [last - first + 1]; NULL where all tensors are contiguous. */
    float *numbers;
} Stretch;

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

/* to := the numbers of the tensor, row by row, from the stretch. */
static void gather(const Wanted *w, const Stretch *stretch)
{
    const Tensor *t = w->tensor;
    int64_t at[TENSOR_MAX_RANK] = {0}, from = w->first - stretch->first;
    for (int64_t i = 0; i < t->count; i++) {
        w->to[i] = stretch->numbers[from];
        for (int d = t->rank - 1; d >= 0; d--) {
            from += t->stride[d];
            if (++at[d] < t->shape[d])
                break;
            from -= at[d] * t->stride[d];
            at[d] = 0;
        }
    }
}

/* to [last - first + 1] takes what it has of the numbers begin .. end - 1 of the storage, which lie at
 * `bytes`. How many these are. */
static int64_t take(const Storage *storage, const unsigned char *bytes, int64_t begin, int64_t end,
                    int64_t first, int64_t last, float *to)
{
    const int64_t from = first > begin ? first : begin;
    const int64_t until = last + 1 < end ? last + 1 : end;
    if (from >= until)
        return 0;
    convert(to + (from - first), storage->type,
            bytes + (size_t)(from - begin) * tensor_type_size(storage->type),
            (size_t)(until - from));
    return until - from;
}

/* -- One storage ------------------------------------------------------------------------------- */

static bool make_stretch(const TensorFile *file, const Wanted *wishes, int count, Stretch *stretch,
                         Error *error)
{
    *stretch = (Stretch){.first = INT64_MAX, .last = -1};
    for (int i = 0; i < count; i++)
        if (!wishes[i].contiguous) {
            stretch->first = wishes[i].first < stretch->first ? wishes[i].first : stretch->first;
            stretch->last = wishes[i].last > stretch->last ? wishes[i].last : stretch->last;
        }
    if (stretch->last < 0)
        return true;
    stretch->numbers = memory_unset((size_t)(stretch->last - stretch->first + 1),
                                    sizeof *stretch->numbers, file->path, error);
    return stretch->numbers != NULL;
}

static void watch(const TensorFile *file, int64_t numbers)
{
    if (file->watch)
        file->watch(file->watch_context, numbers);
}

/* Reads the blocks of the storage, to its end, where an archive has its checksum. */
static bool read_blocks(TensorFile *file, const Wanted *wishes, int count, const Stretch *stretch,
                        unsigned char *block, Error *error)
{
    const Storage *storage = wishes[0].storage;
    const int64_t size = (int64_t)tensor_type_size(storage->type), most = BLOCK / size;
    for (int64_t begin = 0, end; begin < storage->count; begin = end) {
        end = begin + most < storage->count ? begin + most : storage->count;
        if (!file->reader->next(file, block, (size_t)((end - begin) * size), error))
            return false;
        int64_t taken = 0;
        for (int i = 0; i < count && wishes[i].first < end; i++)
            if (wishes[i].contiguous)
                taken +=
                    take(storage, block, begin, end, wishes[i].first, wishes[i].last, wishes[i].to);
        if (stretch->numbers)
            take(storage, block, begin, end, stretch->first, stretch->last, stretch->numbers);
        watch(file, taken);
    }
    return true;
}

/* Reads the wishes of one storage, which are sorted by their first number. */
static bool read_storage(TensorFile *file, const Wanted *wishes, int count, unsigned char *block,
                         Error *error)
{
    Stretch stretch;
    const bool ok = make_stretch(file, wishes, count, &stretch, error) &&
                    file->reader->seek(file, wishes[0].storage, error) &&
                    read_blocks(file, wishes, count, &stretch, block, error);
    for (int i = 0; ok && stretch.numbers && i < count; i++)
        if (!wishes[i].contiguous) {
            gather(&wishes[i], &stretch);
            watch(file, wishes[i].tensor->count);
        }
    memory_free(stretch.numbers);
    return ok;
}

bool tensor_file_has_floats(const TensorFile *file, int index, Error *error)
{
    const Tensor *tensor = &file->table.tensors[index];
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
        ok = tensor_file_has_floats(file, wishes[i].tensor, error);
        if (ok && file->table.tensors[wishes[i].tensor].count > 0)
            sorted[used++] = wanted(&file->table, &wishes[i]);
    }
    qsort(sorted, (size_t)used, sizeof *sorted, by_place);
    for (int i = 0, next; ok && i < used; i = next) {
        for (next = i + 1; next < used && sorted[next].storage == sorted[i].storage; next++)
            continue;
        ok = read_storage(file, sorted + i, next - i, block, error);
    }
    memory_free(sorted);
    memory_free(block);
    return ok;
}
