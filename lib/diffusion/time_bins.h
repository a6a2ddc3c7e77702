/* Bins of timesteps: a head may have a last layer for each.
 *
 * Bin b of B holds the timesteps first[b] < t <= first[b + 1]. What a head should give changes with t by
 * orders of magnitude; within a bin by less, and so a simpler map is enough. The evenly spaced bins that
 * training makes have N / B timesteps each, to rounding.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIME_BINS_MAX = 64 };

typedef struct TimeBins {
    int count;                    /* B >= 1 */
    int first[TIME_BINS_MAX + 1]; /* rising, from 0 to N */
} TimeBins;

/* `count` evenly spaced bins of the timesteps 1 .. total; count <= total, at most TIME_BINS_MAX. */
TimeBins time_bins_even(int count, int total);

/* Whether first [count + 1] are bins of 1 .. total, as a file may have them. */
bool time_bins_read(TimeBins *bins, const int64_t *first, int count, int total, Error *error);

/* The bin of timestep t. One outside, such as 0, the data, is taken for the nearest. */
int time_bins_find(const TimeBins *bins, int t);
