/* All products of a point of x and a point of y are computed once. The mean of a column is then taken
 * off the products, not off the points: (x - a)'(y - b) = x'y - a'y - x'b + a'b, where a'y is the mean
 * of a column of products. Both sets lose their own mean first, so that no digits cancel. */
#include "stats/frechet_few.h"

#include "base/dispatch.h"
#include "base/memory.h"
#include "stats/eigen.h"

#include <math.h>
#include <omp.h>

/* A set of points around their mean. */
typedef struct Centred {
    const Points *points;
    /* [dims], the mean of column 0; [count, dims]; [count], their squares. */
    double *mean, *values, *squares;
} Centred;

typedef struct Few {
    Centred x, y;
    /* [count of x, count of y] */
    double *products;
} Few;

/* What a thread works with: [count of x, count of y]; [dims]; [count of x]; [count of y]. */
typedef struct Scratch {
    double *matrix, *shift, *row_means, *column_means;
} Scratch;

/* -- Points ----------------------------------------------------------------------------------- */

VECTORISED static double dot(const double *x, const double *y, size_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < count; k++)
        sum += x[k] * y[k];
    return sum;
}

VECTORISED static void add_multiple(double *restrict to, const double *restrict x, double scale,
                                    size_t count)
{
    for (size_t k = 0; k < count; k++)
        to[k] += scale * x[k];
}

static bool centre(Centred *set, const Points *points, Error *error)
{
    const size_t count = (size_t)points->count, dims = (size_t)points->dims;
    const char *what = "points of a Frechet distance";
    *set = (Centred){.points = points};
    set->mean = memory_large(dims, sizeof(double), what, error);
    set->squares = set->mean ? memory_large(count, sizeof(double), what, error) : NULL;
    set->values = set->squares ? memory_large(count * dims, sizeof(double), what, error) : NULL;
    if (!set->values)
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < dims; k++)
            set->mean[k] += (double)points->values[i * dims + k] / (double)count;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        double *to = set->values + i * dims;
        for (size_t k = 0; k < dims; k++)
            to[k] = (double)points->values[i * dims + k] - set->mean[k];
        set->squares[i] = dot(to, to, dims);
    }
    return true;
}

static void centred_free(Centred *set)
{
    memory_free(set->mean);
    memory_free(set->values);
    memory_free(set->squares);
}

static double weight_of(const Centred *set, size_t i, int column)
{
    return points_weights(set->points, (int)i)[column];
}

/* shift [dims] += sign * the mean of a column; returns the trace of its covariance. */
static double moments(const Centred *set, int column, double sign, double *shift, double *own)
{
    const size_t count = (size_t)set->points->count, dims = (size_t)set->points->dims;
    const double total = points_total(set->points, column);
    double squares = 0;
    for (size_t k = 0; k < dims; k++)
        own[k] = 0;
    for (size_t i = 0; i < count; i++) {
        const double weight = weight_of(set, i, column);
        squares += weight * set->squares[i];
        if (weight > 0)
            add_multiple(own, set->values + i * dims, weight / total, dims);
    }
    for (size_t k = 0; k < dims; k++)
        shift[k] += sign * (set->mean[k] + own[k]);
    return (squares - total * dot(own, own, dims)) / (total - 1);
}

/* -- Products --------------------------------------------------------------------------------- */

/* Blocks of points, so that those of y stay in the cache. */
enum { BLOCK = 32 };

static bool multiply(Few *few, Error *error)
{
    const size_t rows = (size_t)few->x.points->count, columns = (size_t)few->y.points->count;
    const size_t dims = (size_t)few->x.points->dims;
    few->products = memory_large(rows * columns, sizeof(double), "products of points", error);
    if (!few->products)
        return false;
#pragma omp parallel for schedule(dynamic)
    for (size_t first = 0; first < columns; first += BLOCK)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = first; j < first + BLOCK && j < columns; j++)
                few->products[i * columns + j] =
                    dot(few->x.values + i * dims, few->y.values + j * dims, dims);
    return true;
}

/* Means of the products over the points of x and over those of y, in a column; returns the mean over
 * both. */
static double means_of_products(const Few *few, int column, const Scratch *s)
{
    const size_t rows = (size_t)few->x.points->count, columns = (size_t)few->y.points->count;
    const double total_x = points_total(few->x.points, column);
    const double total_y = points_total(few->y.points, column);
    double all = 0;
    for (size_t j = 0; j < columns; j++)
        s->column_means[j] = 0;
    for (size_t i = 0; i < rows; i++) {
        const double share = weight_of(&few->x, i, column) / total_x;
        double sum = 0;
        for (size_t j = 0; j < columns; j++)
            sum += weight_of(&few->y, j, column) * few->products[i * columns + j];
        s->row_means[i] = sum / total_y;
        all += share * s->row_means[i];
        if (share > 0)
            add_multiple(s->column_means, few->products + i * columns, share, columns);
    }
    return all;
}

/* The sum of the singular values of X Y' in a column; NAN if LAPACK finds none. Points that the
 * resample does not have are left out. */
static double trace_of_root(const Few *few, int column, const Scratch *s)
{
    const size_t rows = (size_t)few->x.points->count, columns = (size_t)few->y.points->count;
    const double all = means_of_products(few, column, s);
    const double scale = 1 / sqrt((points_total(few->x.points, column) - 1) *
                                  (points_total(few->y.points, column) - 1));
    double *to = s->matrix;
    int height = 0, width = 0;
    for (size_t i = 0; i < rows; i++) {
        const double weight = weight_of(&few->x, i, column);
        if (weight == 0)
            continue;
        height++;
        for (size_t j = 0; j < columns; j++) {
            const double other = weight_of(&few->y, j, column);
            if (other > 0)
                *to++ =
                    sqrt(weight * other) * scale *
                    (few->products[i * columns + j] - s->row_means[i] - s->column_means[j] + all);
        }
        width = (int)((to - s->matrix) / height);
    }
    return singular_value_sum(s->matrix, height, width);
}

/* -- The distance ----------------------------------------------------------------------------- */

static double distance_of_column(const Few *few, int column, const Scratch *s)
{
    const size_t dims = (size_t)few->x.points->dims;
    double *shift = s->shift, *own = s->shift + dims;
    for (size_t k = 0; k < dims; k++)
        shift[k] = 0;
    double distance = moments(&few->x, column, 1, shift, own);
    distance += moments(&few->y, column, -1, shift, own);
    distance += dot(shift, shift, dims);
    if (!isfinite(distance)) /* LAPACK might never return on NaNs */
        return NAN;
    distance -= 2 * trace_of_root(few, column, s);
    return distance < 0 ? 0 : distance; /* rounding may give < 0; a NaN stays */
}

static bool measure(const Few *few, double *distance, Error *error)
{
    const size_t rows = (size_t)few->x.points->count, columns = (size_t)few->y.points->count;
    const size_t dims = (size_t)few->x.points->dims;
    const size_t room = rows * columns + 2 * dims + rows + columns;
    const size_t threads = (size_t)omp_get_max_threads();
    double *work = memory_large(threads * room, sizeof *work, "singular values", error);
    if (!work)
        return false;
#pragma omp parallel for schedule(dynamic)
    for (int c = 0; c < few->x.points->columns; c++) {
        double *mine = work + (size_t)omp_get_thread_num() * room;
        const Scratch s = {.matrix = mine,
                           .shift = mine + rows * columns,
                           .row_means = mine + rows * columns + 2 * dims,
                           .column_means = mine + rows * columns + 2 * dims + rows};
        distance[c] = distance_of_column(few, c, &s);
    }
    memory_free(work);
    return true;
}

bool frechet_few(const Points *x, const Points *y, double *distance, Error *error)
{
    Few few = {0};
    const bool ok = centre(&few.x, x, error) && centre(&few.y, y, error) && multiply(&few, error) &&
                    measure(&few, distance, error);
    centred_free(&few.x);
    centred_free(&few.y);
    memory_free(few.products);
    for (int c = 0; ok && c < x->columns; c++)
        if (!isfinite(distance[c]))
            return error_runtime(error, "the points of a Frechet distance are not finite, or their "
                                        "products have no singular values");
    return ok;
}
