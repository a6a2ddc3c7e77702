/* The kernel distance of two weighted sets of points (the formula is in kernel_distance.h).
 *
 * Each kernel value is computed once and added to every column with its weights. Blocks of rows are
 * shared out among threads, and each block has its own sums. They are added in order at the end.
 */
#include "stats/kernel_distance.h"

#include "base/dispatch.h"
#include "base/memory.h"

#include <omp.h>

/* One thread sums this many rows. The blocks are added in order, so the sums do not depend on the
 * number of threads. */
enum { BLOCK = 32 };

/* k(x, y) = (x'y / dims + 1)^3 */
VECTORISED static double kernel(const float *x, const float *y, int dims)
{
    double product = 0;
#pragma omp simd reduction(+ : product)
    for (int k = 0; k < dims; k++)
        product += (double)x[k] * (double)y[k];
    const double base = product / dims + 1;
    return base * base * base;
}

VECTORISED static void add_scaled(double *restrict sums, const uint8_t *restrict weights,
                                  double scale, int columns)
{
    for (int c = 0; c < columns; c++)
        sums[c] += scale * weights[c];
}

VECTORISED static void add_products(double *restrict sums, const uint8_t *restrict weights,
                                    const double *restrict row, int columns)
{
    for (int c = 0; c < columns; c++)
        sums[c] += weights[c] * row[c];
}

/* sums [columns]: entry c += sum_i w_ic sum_j v_jc k(x_i, y_j). i runs over a block of rows, w are
 * the weights of x, v those of y. If `within`, j = i is left out. `row` [columns] is scratch. */
static void sum_block(const Points *x, const Points *y, int first, bool within, double *row,
                      double *sums)
{
    const int columns = x->columns, end = first + BLOCK < x->count ? first + BLOCK : x->count;
    for (int i = first; i < end; i++) {
        for (int c = 0; c < columns; c++)
            row[c] = 0;
        for (int j = 0; j < y->count; j++)
            if (!within || j != i)
                add_scaled(row, points_weights(y, j),
                           kernel(points_at(x, i), points_at(y, j), x->dims), columns);
        add_products(sums, points_weights(x, i), row, columns);
    }
}

/* sums [columns]: entry c := sum_ij w_ic v_jc k(x_i, y_j) over all pairs. If `within` (y = x),
 * pairs of a point with itself are left out. */
static bool sum_pairs(const Points *x, const Points *y, bool within, double *sums, Error *error)
{
    const int blocks = (x->count + BLOCK - 1) / BLOCK, columns = x->columns;
    const size_t width = (size_t)columns, threads = (size_t)omp_get_max_threads();
    static const char what[] = "sums of kernels";
    double *parts = memory_large((size_t)blocks * width, sizeof *parts, what, error);
    double *rows = parts ? memory_large(threads * width, sizeof *rows, what, error) : NULL;
    if (rows) {
#pragma omp parallel for schedule(dynamic)
        for (int b = 0; b < blocks; b++)
            sum_block(x, y, b * BLOCK, within, rows + (size_t)omp_get_thread_num() * width,
                      parts + (size_t)b * width);
    }
    for (int c = 0; rows && c < columns; c++) {
        sums[c] = 0;
        for (int b = 0; b < blocks; b++)
            sums[c] += parts[(size_t)b * width + (size_t)c];
    }
    const bool done = rows != NULL;
    memory_free(parts);
    memory_free(rows);
    return done;
}

bool kernel_within(const Points *points, double *mean, Error *error)
{
    if (!sum_pairs(points, points, true, mean, error))
        return false;
    for (int c = 0; c < points->columns; c++) {
        double pairs = points_total(points, c) * points_total(points, c);
        for (int i = 0; i < points->count; i++) {
            const double weight = points_weights(points, i)[c];
            pairs -= weight * weight;
        }
        mean[c] /= pairs;
    }
    return true;
}

bool kernel_between(const Points *x, const Points *y, double *mean, Error *error)
{
    if (!sum_pairs(x, y, false, mean, error))
        return false;
    for (int c = 0; c < x->columns; c++)
        mean[c] /= points_total(x, c) * points_total(y, c);
    return true;
}

void kernel_distance(const double *within_x, const double *within_y, const double *between,
                     int columns, double *distance)
{
    for (int c = 0; c < columns; c++)
        distance[c] = within_x[c] + within_y[c] - 2 * between[c];
}
