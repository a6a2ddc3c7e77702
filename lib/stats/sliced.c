/* The sliced Wasserstein distance of two weighted sets of points (sliced.h).
 *
 * For each direction, both sets are projected and sorted once. The sorted lines serve every column
 * of weights: W_2^2 of a column is one walk along both lines. Directions are shared out among
 * threads; their results are added in order at the end.
 */
#include "stats/sliced.h"

#include "base/dispatch.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

void sliced_directions(uint64_t seed, int count, int dims, float *directions)
{
#pragma omp parallel for schedule(static)
    for (int p = 0; p < count; p++) {
        float *direction = directions + (size_t)p * (size_t)dims;
        double square = 0;
        random_normal((RandomKey){.seed = seed, .purpose = RANDOM_DIRECTION, .sample = (uint32_t)p},
                      direction, (size_t)dims);
        for (int k = 0; k < dims; k++)
            square += (double)direction[k] * (double)direction[k];
        for (int k = 0; k < dims; k++)
            direction[k] = (float)(direction[k] / sqrt(square));
    }
}

/* A point on a line: its coordinate and its index. */
typedef struct Projected {
    double at;
    int point;
} Projected;

VECTORISED static double project(const float *x, const float *direction, int dims)
{
    double product = 0;
#pragma omp simd reduction(+ : product)
    for (int k = 0; k < dims; k++)
        product += (double)x[k] * (double)direction[k];
    return product;
}

/* Orders by coordinate. Ties are ordered by index, so that the order is always the same. */
static int compare(const void *a, const void *b)
{
    const Projected *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->point > y->point) - (x->point < y->point);
}

static void project_all(const Points *points, const float *direction, Projected *line)
{
    for (int i = 0; i < points->count; i++)
        line[i] =
            (Projected){.at = project(points_at(points, i), direction, points->dims), .point = i};
    qsort(line, (size_t)points->count, sizeof *line, compare);
}

/* W_2^2 of column c. Both sorted lines are walked together: the current point of x and the current
 * point of y exchange the smaller of their remaining masses. The mass of a point of x is weight *
 * total_y, the mass of a point of y is weight * total_x. So all masses are integers, and both sets
 * weigh the same. */
static double transport(const Points *x, const Projected *line_x, const Points *y,
                        const Projected *line_y, int64_t total_x, int64_t total_y, int c)
{
    int64_t left_x = 0, left_y = 0;
    double sum = 0;
    for (int i = 0, j = 0;;) {
        for (; left_x == 0 && i < x->count; i++)
            left_x = points_weights(x, line_x[i].point)[c] * total_y;
        for (; left_y == 0 && j < y->count; j++)
            left_y = points_weights(y, line_y[j].point)[c] * total_x;
        if (left_x == 0 || left_y == 0) /* both are 0 at the end */
            return sum / ((double)total_x * (double)total_y);
        const int64_t mass = left_x < left_y ? left_x : left_y;
        const double difference = line_x[i - 1].at - line_y[j - 1].at;
        sum += (double)mass * difference * difference;
        left_x -= mass;
        left_y -= mass;
    }
}

/* Working memory. */
typedef struct Work {
    /* [threads, x->count + y->count] */
    Projected *lines;
    /* [directions, columns]: W_2^2. */
    double *squares;
    /* [columns, 2]: the numbers of points of x and y. */
    int64_t *totals;
} Work;

static bool make_work(Work *work, const Points *x, const Points *y, int directions, Error *error)
{
    const size_t columns = (size_t)x->columns, both = (size_t)x->count + (size_t)y->count;
    const size_t threads = (size_t)omp_get_max_threads();
    *work = (Work){
        .lines = memory_large(threads * both, sizeof(Projected), "projections", error),
        .totals = memory_small(2 * columns, sizeof(int64_t)),
    };
    for (int c = 0; c < x->columns; c++) {
        work->totals[2 * c] = (int64_t)points_total(x, c);
        work->totals[2 * c + 1] = (int64_t)points_total(y, c);
    }
    return work->lines && (work->squares = memory_large((size_t)directions * columns,
                                                        sizeof(double), "projections", error));
}

static void free_work(Work *work)
{
    memory_free(work->lines);
    memory_free(work->squares);
    memory_free(work->totals);
}

static void measure_direction(const Work *work, const Points *x, const Points *y,
                              const float *direction, int p)
{
    const size_t both = (size_t)x->count + (size_t)y->count;
    Projected *line_x = work->lines + (size_t)omp_get_thread_num() * both;
    Projected *line_y = line_x + x->count;
    project_all(x, direction, line_x);
    project_all(y, direction, line_y);
    for (int c = 0; c < x->columns; c++)
        work->squares[(size_t)p * (size_t)x->columns + (size_t)c] =
            transport(x, line_x, y, line_y, work->totals[2 * c], work->totals[2 * c + 1], c);
}

bool sliced_distance(const Points *x, const Points *y, const float *directions, int count,
                     double *distance, Error *error)
{
    Work work;
    const bool ok = make_work(&work, x, y, count, error);
    if (ok) {
#pragma omp parallel for schedule(dynamic)
        for (int p = 0; p < count; p++)
            measure_direction(&work, x, y, directions + (size_t)p * (size_t)x->dims, p);
    }
    for (int c = 0; ok && c < x->columns; c++) {
        double sum = 0;
        for (int p = 0; p < count; p++)
            sum += work.squares[(size_t)p * (size_t)x->columns + (size_t)c];
        distance[c] = sqrt(sum / count);
    }
    free_work(&work);
    return ok;
}
