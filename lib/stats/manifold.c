/* Improved precision and recall (Kynkaanniemi et al. 2019; the definitions are in manifold.h).
 *
 * All pairs of points are compared. Distances stay squared, since only their order matters. Each
 * point is handled by one thread, so results do not depend on the number of threads.
 */
#include "stats/manifold.h"

#include "base/dispatch.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>

VECTORISED static double squared_distance(const float *x, const float *y, int dims)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < dims; k++) {
        const double difference = (double)x[k] - (double)y[k];
        sum += difference * difference;
    }
    return sum;
}

/* Inserts a distance into least [k], the k smallest distances so far, ascending. */
static void keep_least(double *least, int k, double distance)
{
    int at = k - 1;
    if (!(distance < least[at]))
        return;
    for (; at > 0 && least[at - 1] > distance; at--)
        least[at] = least[at - 1];
    least[at] = distance;
}

void manifold_radii(const Points *points, int k, double *radii)
{
    assert(1 <= k && k <= MANIFOLD_MAX_NEIGHBOURS && k < points->count);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < points->count; i++) {
        double least[MANIFOLD_MAX_NEIGHBOURS];
        for (int n = 0; n < MANIFOLD_MAX_NEIGHBOURS; n++)
            least[n] = INFINITY;
        for (int j = 0; j < points->count; j++)
            if (j != i)
                keep_least(
                    least, k,
                    squared_distance(points_at(points, i), points_at(points, j), points->dims));
        radii[i] = least[k - 1];
    }
}

static bool is_inside(const float *x, const Points *centres, const double *radii)
{
    for (int j = 0; j < centres->count; j++)
        if (squared_distance(x, points_at(centres, j), centres->dims) <= radii[j])
            return true;
    return false;
}

bool manifold_share(const Points *points, const Points *centres, const double *radii, double *share,
                    Error *error)
{
    uint8_t *inside = memory_large((size_t)points->count, 1, "points on a manifold", error);
    if (!inside)
        return false;
#pragma omp parallel for schedule(dynamic, 16)
    for (int i = 0; i < points->count; i++)
        inside[i] = is_inside(points_at(points, i), centres, radii);
    for (int c = 0; c < points->columns; c++) {
        double sum = 0;
        for (int i = 0; i < points->count; i++)
            sum += points_weights(points, i)[c] * inside[i];
        share[c] = sum / points_total(points, c);
    }
    memory_free(inside);
    return true;
}
