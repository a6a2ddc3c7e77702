/* The sliced Wasserstein distance (Rabin et al. 2011; Bonneel et al. 2015): both sets are projected on
 * random directions of length 1, where the Wasserstein distance of order 2 is a matter of sorting,
 *
 *     W_2^2 = integral over u from 0 to 1 of (F^-1(u) - G^-1(u))^2        F^-1, G^-1: the quantiles
 *
 * and the distance is the root of the mean of W_2^2 over the directions. No network is needed.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

enum { SLICED_DIRECTIONS = 256 };

/* directions [count, dims] := independent and uniform on the sphere, a function of the seed. */
void sliced_directions(uint64_t seed, int count, int dims, float *directions);

/* distance [columns] between x and y, which may differ in number; directions [count, dims]. The order of
 * the sums does not depend on the number of threads. */
bool sliced_distance(const Points *x, const Points *y, const float *directions, int count,
                     double *distance, Error *error);
