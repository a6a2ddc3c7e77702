/* The order of training: every image once per epoch, in a random order of the epoch's own.
 *
 * Positions count the images trained on since the beginning: sample j of the batch of step s
 * (from 0) is at position s * batch + j. Position p lies in epoch p / count. So the order is a
 * pure function of the position, the same whatever the batch size, and a resume needs only the
 * step. A batch may straddle two epochs.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct EpochOrder {
    uint64_t seed;
    uint32_t count;  /* images in the data set */
    int64_t current; /* the epoch that `order` is of; -1: none */
    uint32_t *order; /* [count] */
} EpochOrder;

/* For a data set of `count` images, 1 to 2^32 - 1. Fails for want of memory. */
bool epoch_make(EpochOrder *order, uint64_t seed, int64_t count, Error *error);
void epoch_free(EpochOrder *order);

/* indices [n] := the images at positions first .. first + n - 1; first >= 0. */
void epoch_indices(EpochOrder *order, int64_t first, int n, int64_t *indices);
