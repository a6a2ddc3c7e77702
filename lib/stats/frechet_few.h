/* The Frechet distance (stats/frechet.h) of sets that have fewer points than dimensions, as in the
 * 2048 features of Inception.
 *
 * With a row for each point, centred and multiplied by the root of weight / (total - 1), the
 * covariances are A = X'X and B = Y'Y. Then tr (A B)^(1/2) is the sum of the singular values of X Y',
 * a matrix of as many rows and columns as there are points. No matrix of dims x dims is made, and a
 * resample costs little, since a third of the points are not in it.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

/* distance [columns]: entry c is that of column c of x and column c of y. It is the same as
 * frechet_distance gives, for any number of points, two at least in each column. A run-time error if
 * memory runs out, or if points are not finite. */
bool frechet_few(const Points *x, const Points *y, double *distance, Error *error);
