/* Improved precision and recall (Kynkaanniemi et al. 2019).
 *
 * The manifold of a set of points is the union of balls around them, each as wide as the distance to the
 * k-th nearest other point of the set. Precision is the share of generated points on the manifold of
 * the real ones, recall the share of real points on that of the generated ones.
 *
 * A resample has copies, and the nearest neighbour of a copy is the other copy: its balls would have no width.
 * So manifolds are always those of all points, and resamples are of the points that are looked for on them.
 * The scatter is then that of a share, and leaves out what other manifolds would add.
 */
#pragma once

#include "base/error.h"
#include "stats/points.h"

enum { MANIFOLD_NEIGHBOURS = 3, MANIFOLD_MAX_NEIGHBOURS = 16 };

/* radii [count] := the square of each point's distance to its k-th nearest other point; 1 <= k <=
 * MANIFOLD_MAX_NEIGHBOURS, k < count. */
void manifold_radii(const Points *points, int k, double *radii);

/* share [columns] := which part of `points` lies in a ball of `centres`; radii [centres->count], squares.
 * The edge of a ball belongs to it. */
bool manifold_share(const Points *points, const Points *centres, const double *radii, double *share,
                    Error *error);
