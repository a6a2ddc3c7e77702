/* Images held out of a data set that brings no test images of its own.
 *
 * Whether an image is held out depends on its index and on the number of images alone, and never on
 * the seed of a run: every run and every command divides a data set in the same way.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* One image in HELD_OUT_SHARE is held out, but about HELD_OUT_MOST at most. */
enum { HELD_OUT_SHARE = 10, HELD_OUT_MOST = 10000 };

/* *chosen [*chosen_count] := the indices of the images that are held out (`held`), or of all others,
 * ascending; the caller frees it with memory_free. There is at least one image on each side. Input
 * error if `count` is 1, in which `name` names the data set. */
bool held_out_choose(uint32_t **chosen, int64_t *chosen_count, int64_t count, bool held,
                     const char *name, Error *error);
