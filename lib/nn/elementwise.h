/* Passes over contiguous float32 memory, shared by the layers. All are parallel and give the same
 * result at any number of threads. */
#pragma once

#include <stddef.h>

void elementwise_copy(void *to, const void *from, size_t bytes);

/* y += x */
void elementwise_add(float *y, const float *x, size_t count);

/* sum [columns] = sums over the rows of x [rows, columns]. `scratch` has
 * elementwise_column_sum_scratch bytes. Rows are summed in blocks of a fixed size, so that the
 * rounding does not depend on the threads. */
void elementwise_column_sum(float *sum, const float *x, size_t rows, int columns, void *scratch);
size_t elementwise_column_sum_scratch(size_t rows, int columns);
