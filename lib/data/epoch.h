/* The order of training: every image once per epoch, in a random order that differs from epoch to
 * epoch.
 *
 * Positions count the images trained on since the beginning: sample j of the batch of step s (from
 * 0) is at position s * batch + j, and position p lies in epoch p / count. So the image at a
 * position does not depend on the batch size, and a resume needs only the step. A batch may
 * straddle two epochs.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct EpochOrder {
    uint64_t seed;
    /* Images in the data set. */
    uint32_t count;
    /* The epoch whose order `order` [count] is; -1: none. */
    int64_t current;
    uint32_t *order;
} EpochOrder;

/* For a data set of `count` images, 1 to 2^32 - 1. Run-time error if there is no memory. */
bool epoch_make(EpochOrder *order, uint64_t seed, int64_t count, Error *error);
void epoch_free(EpochOrder *order);

/* indices [n] := the images at positions first .. first + n - 1; first >= 0. */
void epoch_indices(EpochOrder *order, int64_t first, int n, int64_t *indices);
