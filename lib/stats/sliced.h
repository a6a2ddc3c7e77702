/* The sliced Wasserstein distance (Rabin et al. 2011; Bonneel et al. 2015). Both sets are projected
 * on random directions of length 1. On a line, sorting gives the Wasserstein distance of order 2:
 *
 *     W_2^2 = integral over u from 0 to 1 of (F^-1(u) - G^-1(u))^2        F^-1, G^-1: the quantiles
 *
 * The sliced distance is the root of the mean of W_2^2 over the directions. It needs no network.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

enum { SLICED_DIRECTIONS = 256 };

/* directions [count, dims] := independent unit vectors, uniform on the sphere; a function of the
 * seed. */
void sliced_directions(uint64_t seed, int count, int dims, float *directions);

/* distance [columns] := the distance of x and y, which may have different numbers of points.
 * directions [count, dims]. The order of the sums does not depend on the number of threads. A
 * run-time error if memory runs out. */
bool sliced_distance(const Points *x, const Points *y, const float *directions, int count,
                     double *distance, Error *error);
