/* Improved precision and recall (Kynkaanniemi et al. 2019).
 *
 * The manifold of a set of points is a union of balls, one around each point. The radius of a ball
 * is the distance to the k-th nearest other point of the set. Precision is the share of generated
 * points on the manifold of the real points. Recall is the share of real points on the manifold of
 * the generated points.
 *
 * A bootstrap resample contains duplicates, whose nearest neighbour is at distance 0. So the
 * manifold always uses all points; only the query points are resampled. The standard error
 * therefore ignores the manifold's own variation.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

enum { MANIFOLD_NEIGHBOURS = 3, MANIFOLD_MAX_NEIGHBOURS = 16 };

/* radii [count] := the squared distance of each point to its k-th nearest other point.
 * 1 <= k <= MANIFOLD_MAX_NEIGHBOURS, k < count. Weights are ignored. */
void manifold_radii(const Points *points, int k, double *radii);

/* share [columns] := the share of `points` that lie in a ball of `centres`. radii [centres->count]
 * are squared (manifold_radii). The edge of a ball belongs to the ball. A run-time error if memory
 * runs out. */
bool manifold_share(const Points *points, const Points *centres, const double *radii, double *share,
                    Error *error);
