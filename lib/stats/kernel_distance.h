/* The kernel distance (KID; Binkowski et al. 2018): the squared maximum mean discrepancy of two sets of
 * points, with the kernel k(x, y) = (x'y / d + 1)^3, in its unbiased estimate
 *
 *     mean of k(x_i, x_j), i != j  +  mean of k(y_i, y_j), i != j  -  2 mean of k(x_i, y_j)
 *
 * over all pairs (not over subsets, as is done to save time). Being unbiased it may be negative where the
 * sets come from one distribution. In a resample two copies of one point are no pair either: their
 * kernel, of a point with itself, would make every resample look farther away than the points are.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

/* mean [columns] := the mean of k over pairs of different points of one set, at least two. */
bool kernel_within(const Points *points, double *mean, Error *error);

/* mean [columns] := the mean of k over pairs of a point of x and one of y. */
bool kernel_between(const Points *x, const Points *y, double *mean, Error *error);

/* distance [columns], from the three means. */
void kernel_distance(const double *within_x, const double *within_y, const double *between,
                     int columns, double *distance);
