/* The Frechet distance of two weighted sets of points (the formula is in frechet.h).
 *
 * gaussians_fit computes a mean and a covariance for each column of weights. frechet_distance then
 * needs tr (A B)^(1/2). With A = U' L U (dsyevd), the matrix L^(1/2) U B U' L^(1/2) is symmetric
 * and has the eigenvalues of A B, and the trace is the sum of their roots. Columns are shared out
 * among threads; each column is computed by one thread, so results do not depend on the number of
 * threads.
 */
#include "stats/frechet.h"

#include "base/dispatch.h"
#include "base/memory.h"
#include "stats/eigen.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* -- Moments ---------------------------------------------------------------------------------- */

/* Rows first .. end - 1 of the lower triangle of matrix += weight * x x'; x [dims]. */
VECTORISED static void add_weighted_square(double *restrict matrix, const double *restrict x,
                                           double weight, int dims, int first, int end)
{
    for (int i = first; i < end; i++) {
        const double scaled = weight * x[i];
        double *row = matrix + (size_t)i * (size_t)dims;
        for (int j = 0; j <= i; j++)
            row[j] += scaled * x[j];
    }
}

/* Rows of a covariance that are summed at a time, so that they stay in the cache. */
enum { ROWS = 64 };

/* The mean and covariance of one column. The first pass computes the mean, the others sum products of
 * centred points, so that no digits cancel. `centred` [dims] is scratch. */
static void fit_column(const Points *points, int column, double *mean, double *covariance,
                       double *centred)
{
    const int dims = points->dims;
    const double total = points_total(points, column);
    for (int i = 0; i < points->count; i++) {
        const float *x = points_at(points, i);
        const double weight = points_weights(points, i)[column];
        for (int k = 0; k < dims; k++)
            mean[k] += weight * (double)x[k];
    }
    for (int k = 0; k < dims; k++)
        mean[k] /= total;
    for (int first = 0; first < dims; first += ROWS) {
        const int end = first + ROWS < dims ? first + ROWS : dims;
        for (int i = 0; i < points->count; i++) {
            const float *x = points_at(points, i);
            const double weight = points_weights(points, i)[column];
            if (weight == 0)
                continue;
            for (int k = 0; k < end; k++)
                centred[k] = (double)x[k] - mean[k];
            add_weighted_square(covariance, centred, weight / (total - 1), dims, first, end);
        }
    }
    for (int i = 0; i < dims; i++)
        for (int j = 0; j < i; j++)
            covariance[j * dims + i] = covariance[i * dims + j];
}

bool gaussians_fit(Gaussians *g, const Points *points, Error *error)
{
    const size_t dims = (size_t)points->dims, columns = (size_t)points->columns;
    *g = (Gaussians){.dims = points->dims, .columns = points->columns};
    const size_t threads = (size_t)omp_get_max_threads();
    double *centred = memory_large(threads * dims, sizeof(double), "moments", error);
    bool ok = centred &&
              (g->mean = memory_large(columns * dims, sizeof(double), "moments", error)) != NULL;
    ok = ok && (g->covariance =
                    memory_large(columns * dims * dims, sizeof(double), "moments", error)) != NULL;
    if (ok) {
#pragma omp parallel for schedule(static)
        for (int c = 0; c < points->columns; c++)
            fit_column(points, c, g->mean + (size_t)c * dims,
                       g->covariance + (size_t)c * dims * dims,
                       centred + (size_t)omp_get_thread_num() * dims);
    }
    memory_free(centred);
    return ok;
}

void gaussians_free(Gaussians *gaussians)
{
    memory_free(gaussians->mean);
    memory_free(gaussians->covariance);
    *gaussians = (Gaussians){0};
}

/* -- The distance ----------------------------------------------------------------------------- */

/* sqrt(value), but 0 for negative values: rounding makes eigenvalues of a singular matrix slightly
 * negative. A NaN stays a NaN. */
static double root(double value)
{
    return value < 0 ? 0 : sqrt(value);
}

/* Columns of a that are taken at a time, so that as many rows of b stay in the cache. */
enum { COLUMNS = 64 };

/* to [n] += the sum of factors[k] times row k of rows [count, n] */
VECTORISED static void add_rows(double *restrict to, const double *restrict factors,
                                const double *restrict rows, size_t count, size_t n)
{
    for (size_t k = 0; k < count; k++)
        for (size_t j = 0; j < n; j++)
            to[j] += factors[k] * rows[k * n + j];
}

/* product := a b, all [n, n] */
static void multiply(const double *a, const double *b, size_t n, double *product)
{
    memset(product, 0, n * n * sizeof *product);
    for (size_t first = 0; first < n; first += COLUMNS)
        for (size_t i = 0; i < n; i++)
            add_rows(product + i * n, a + i * n + first, b + first * n,
                     n - first < COLUMNS ? n - first : COLUMNS, n);
}

static void transpose(double *matrix, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double kept = matrix[i * n + j];
            matrix[i * n + j] = matrix[j * n + i];
            matrix[j * n + i] = kept;
        }
}

/* half := L^(1/2) U b U' L^(1/2), where a = U' L U: L holds the eigenvalues of a, and the rows of U
 * are its eigenvectors. The result is a^(1/2) b a^(1/2) rotated by U, and has the same eigenvalues.
 * `scratch` [dims, dims]. */
static void multiply_roots(const double *vectors, const double *values, const double *b, int dims,
                           double *scratch, double *half)
{
    const size_t n = (size_t)dims;
    multiply(vectors, b, n, scratch);
    transpose(scratch, n); /* b is symmetric: it is b U' now */
    multiply(vectors, scratch, n, half);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            half[i * n + j] *= root(values[i]) * root(values[j]);
}

/* tr (a b)^(1/2), or NAN if LAPACK finds no eigenvalues. `work` [3 dims^2 + dims] is scratch. */
static double trace_of_root(const double *a, const double *b, int dims, double *work)
{
    const size_t square = (size_t)dims * (size_t)dims;
    double *vectors = work, *scratch = work + square, *half = work + 2 * square;
    double *values = work + 3 * square, trace = 0;
    memcpy(vectors, a, square * sizeof *vectors);
    if (!eigen_symmetric(vectors, dims, values, true))
        return NAN;
    multiply_roots(vectors, values, b, dims, scratch, half);
    if (!eigen_symmetric(half, dims, values, false))
        return NAN;
    for (int i = 0; i < dims; i++)
        trace += root(values[i]);
    return trace;
}

static double distance_of_column(const Gaussians *a, const Gaussians *b, int column, double *work)
{
    const int dims = a->dims;
    const size_t at = (size_t)column * (size_t)dims;
    const double *mean_a = a->mean + at, *mean_b = b->mean + at;
    const double *cov_a = a->covariance + at * (size_t)dims;
    const double *cov_b = b->covariance + at * (size_t)dims;
    double distance = 0;
    for (int i = 0; i < dims; i++)
        distance += (mean_a[i] - mean_b[i]) * (mean_a[i] - mean_b[i]) + cov_a[i * dims + i] +
                    cov_b[i * dims + i];
    if (!isfinite(distance)) /* LAPACK might never return on NaNs */
        return NAN;
    distance -= 2 * trace_of_root(cov_a, cov_b, dims, work);
    return distance < 0 ? 0 : distance; /* rounding may give < 0; a NaN stays */
}

bool frechet_distance(const Gaussians *a, const Gaussians *b, double *distance, Error *error)
{
    const size_t dims = (size_t)a->dims, room = 3 * dims * dims + dims;
    const size_t threads = (size_t)omp_get_max_threads();
    double *work = memory_large(threads * room, sizeof *work, "eigenvalues", error);
    if (!work)
        return false;
#pragma omp parallel for schedule(static)
    for (int c = 0; c < a->columns; c++)
        distance[c] = distance_of_column(a, b, c, work + (size_t)omp_get_thread_num() * room);
    memory_free(work);
    for (int c = 0; c < a->columns; c++)
        if (!isfinite(distance[c]))
            return error_runtime(error, "the moments of a Frechet distance are not finite, or have "
                                        "no eigenvalues");
    return true;
}
