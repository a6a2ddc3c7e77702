/* Passes over contiguous memory, shared by the layers. All are parallel and give the same result at
 * any number of threads. */
#pragma once

#include "engine/dtype.h"

#include <stdbool.h>

void elementwise_copy(void *to, const void *from, size_t bytes);

/* y += x */
void elementwise_add(DType type, void *y, const void *x, size_t count);

/* to = from, or to += from, rounded to the type of `to`. */
void elementwise_convert(DType to_type, void *to, DType from_type, const void *from, size_t count,
                         bool add);

/* sum [columns] = sums over the rows of x [rows, columns]. `scratch` has
 * elementwise_column_sum_scratch bytes. Rows are summed in blocks of a fixed size, so that the
 * rounding does not depend on the threads. */
void elementwise_column_sum(float *sum, DType type, const void *x, size_t rows, int columns,
                            void *scratch);
size_t elementwise_column_sum_scratch(size_t rows, int columns);
