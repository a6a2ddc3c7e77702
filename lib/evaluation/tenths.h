/* The tenths of an image's elements by the size of their estimates c of Cov[x_0 | x_t]: how the errors
 * of the mean compare with the estimates in each.
 *
 * A variance may be right on the whole, and say too little where it is small and too much where it is
 * large. So its calibration is also measured among the tenth of the elements with the smallest c, the
 * next tenth, and so on.
 */
#pragma once

#include <stddef.h>

enum { TENTHS = 10 };

/* (2 / 255)^2 / 12: the variance of rounding to one of 256 grey levels in [-1, 1]. Smaller estimates
 * count as this. */
#define GREY_LEVEL_VARIANCE (1 / (3.0 * 255 * 255))

/* square [TENTHS] := the mean of r^2 / c in each tenth, from the smallest c to the largest; fourth
 * [TENTHS] := the mean of (r^2 / c)^2, which is 3 if r is normal with the variance c.
 *   cov, off2 [count]  c, and r^2; count > 0
 * Estimates of one value, and estimates that differ by less than a sixteenth, are not told apart: a
 * tenth takes a share of all of them. */
void tenths_of(const float *cov, const double *off2, size_t count, double *square, double *fourth);
