/* The kernel distance (KID; Binkowski et al. 2018): the unbiased estimate of the squared maximum
 * mean discrepancy of two sets of points, with the kernel k(x, y) = (x'y / d + 1)^3:
 *
 *     mean of k(x_i, x_j), i != j  +  mean of k(y_i, y_j), i != j  -  2 mean of k(x_i, y_j)
 *
 * The means are over all pairs, not over subsets, as some implementations do to save time. The
 * estimate is unbiased, so it may be negative if both sets come from one distribution. Two copies
 * of one point in a resample do not count as a pair: k(x, x) is large, and such pairs would make
 * every resample look farther away than the points are.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

/* mean [columns] := the mean of k over pairs of different points of one set, which has at least two
 * points. A run-time error if memory runs out. */
bool kernel_within(const Points *points, double *mean, Error *error);

/* mean [columns] := the mean of k over pairs of a point of x and a point of y. A run-time error if
 * memory runs out. */
bool kernel_between(const Points *x, const Points *y, double *mean, Error *error);

/* distance [columns] := within_x + within_y - 2 between; all [columns]. */
void kernel_distance(const double *within_x, const double *within_y, const double *between,
                     int columns, double *distance);
