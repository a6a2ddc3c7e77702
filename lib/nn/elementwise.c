#include "nn/elementwise.h"

#include "base/dispatch.h"

#include <string.h>

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

VECTORISED static void add_block(float *restrict y, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] += x[i];
}

void elementwise_add(float *y, const float *x, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t start = 0; start < count; start += BLOCK)
        add_block(y + start, x + start, smaller(BLOCK, count - start));
}

VECTORISED static void sum_rows(float *restrict sum, const float *restrict x, size_t rows,
                                size_t columns)
{
    memset(sum, 0, columns * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            sum[c] += x[r * columns + c];
}

size_t elementwise_column_sum_scratch(size_t rows, int columns)
{
    return (rows + ROW_BLOCK - 1) / ROW_BLOCK * (size_t)columns * sizeof(float);
}

void elementwise_column_sum(float *sum, const float *x, size_t rows, int columns, void *scratch)
{
    float *partial = scratch;
    size_t width = (size_t)columns, blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < blocks; b++)
        sum_rows(partial + b * width, x + b * ROW_BLOCK * width,
                 smaller(ROW_BLOCK, rows - b * ROW_BLOCK), width);
    sum_rows(sum, partial, blocks, width);
}
