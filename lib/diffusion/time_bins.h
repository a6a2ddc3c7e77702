/* Bins of timesteps: a head may have a last layer of its own for each bin.
 *
 * Bin b of B holds the timesteps first[b] < t <= first[b + 1]. The target of a head changes with
 * t by orders of magnitude. Within a bin it changes less, so a simpler map is enough there.
 * Training makes evenly spaced bins of N / B timesteps each, rounded, or the usual ones, which
 * are narrow where SNR_t changes fastest, at small t.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIME_BINS_MAX = 64 };

typedef struct TimeBins {
    /* B, from 1 to TIME_BINS_MAX. */
    int count;
    /* [count + 1], rising from 0 to N. */
    int first[TIME_BINS_MAX + 1];
} TimeBins;

/* `count` evenly spaced bins of the timesteps 1 .. total; 1 <= count <= total, and count <=
 * TIME_BINS_MAX. */
TimeBins time_bins_even(int count, int total);

/* The usual bins of the timesteps 1 .. total: 12 evenly spaced ones (`total`, if it is less), of
 * which the first is halved, and its first half again, until it has fewer than 4 timesteps. For
 * 1000 timesteps these are 17 bins with the limits 0, 2, 5, 10, 20, 41, 83, 166, 250, ... 1000. */
TimeBins time_bins_usual(int total);

/* Makes bins of the timesteps 1 .. total from first [count + 1], as a file holds them. Numbers that
 * do not rise from 0 to total, and a count outside 1 .. TIME_BINS_MAX, are input errors. */
bool time_bins_read(TimeBins *bins, const int64_t *first, int count, int total, Error *error);

/* The bin of timestep t. A t outside 1 .. N, such as 0 for the data, has the nearest bin. */
int time_bins_find(const TimeBins *bins, int t);
