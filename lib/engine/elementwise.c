/* Loops over contiguous memory, written once and compiled for each type (dtype.h).
 *
 * A thread takes blocks of a fixed size, so that no sum depends on the number of threads.
 */
#include "engine/elementwise.h"

enum { BLOCK = 1 << 14, ROW_BLOCK = 256 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void elementwise_copy(void *to, const void *from, size_t bytes)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < bytes; start += BLOCK)
        memcpy((char *)to + start, (const char *)from + start, smaller(BLOCK, bytes - start));
}

INLINED void convert_as(DType to_type, void *restrict to, DType from_type,
                        const void *restrict from, size_t count, bool add)
{
    if (add)
        for (size_t i = 0; i < count; i++)
            store(to, to_type, i, load(to, to_type, i) + load(from, from_type, i));
    else
        for (size_t i = 0; i < count; i++)
            store(to, to_type, i, load(from, from_type, i));
}

VECTORISED static void convert_block(DType to_type, void *to, DType from_type, const void *from,
                                     size_t count, bool add)
{
    if (to_type == DTYPE_F32 && from_type == DTYPE_F32)
        convert_as(DTYPE_F32, to, DTYPE_F32, from, count, add);
    else if (to_type == DTYPE_F32)
        convert_as(DTYPE_F32, to, DTYPE_BF16, from, count, add);
    else if (from_type == DTYPE_F32)
        convert_as(DTYPE_BF16, to, DTYPE_F32, from, count, add);
    else
        convert_as(DTYPE_BF16, to, DTYPE_BF16, from, count, add);
}

void elementwise_convert(DType to_type, void *to, DType from_type, const void *from, size_t count,
                         bool add)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += BLOCK)
        convert_block(to_type, dtype_at(to, to_type, start), from_type,
                      dtype_at(from, from_type, start), smaller(BLOCK, count - start), add);
}

void elementwise_add(DType type, void *y, const void *x, size_t count)
{
    elementwise_convert(type, y, type, x, count, true);
}

INLINED void sum_rows_as(float *restrict sum, DType type, const void *restrict x, size_t rows,
                         size_t columns)
{
    memset(sum, 0, columns * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            sum[c] += load(x, type, r * columns + c);
}

VECTORISED static void sum_rows(float *sum, DType type, const void *x, size_t rows, size_t columns)
{
    if (type == DTYPE_F32)
        sum_rows_as(sum, DTYPE_F32, x, rows, columns);
    else
        sum_rows_as(sum, DTYPE_BF16, x, rows, columns);
}

size_t elementwise_column_sum_scratch(size_t rows, int columns)
{
    return (rows + ROW_BLOCK - 1) / ROW_BLOCK * (size_t)columns * sizeof(float);
}

void elementwise_column_sum(float *sum, DType type, const void *x, size_t rows, int columns,
                            void *scratch)
{
    float *partial = scratch;
    size_t width = (size_t)columns, blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++)
        sum_rows(partial + b * width, type, dtype_at(x, type, b * ROW_BLOCK * width),
                 smaller(ROW_BLOCK, rows - b * ROW_BLOCK), width);
    sum_rows(sum, DTYPE_F32, partial, blocks, width);
}
