/* The place of the first number that is infinite or NaN. Weights of files, arrays of callers and
 * samples are searched for one. */
#pragma once

#include <stddef.h>

/* How many of the `count` numbers come before the first one that is not finite: `count` if all are
 * finite. */
size_t finite_floats(const float *values, size_t count);
size_t finite_doubles(const double *values, size_t count);
