/* Private to lib/exchange: tensors of other programs that are several of ours, in memory.
 *
 * Queries, keys and values are one tensor in some programs, and so are both outputs of a network
 * that learns its variance. Our parts mostly lie end to end, so that the whole is read to its place.
 * Where they do not, the whole is read elsewhere and then copied.
 */
#pragma once

#include "config/config.h"
#include "engine/params.h"
#include "exchange/names.h"

/* Our tensors, and the tensors of a file that they are of or parts of. */
typedef struct ForeignPairs {
    NameStyle style;
    const Config *config;
    const ParamSet *params;
    /* [params->count] */
    const int *tensors;
    /* Whether the rows of queries, keys and values lie head by head in the file. */
    bool heads_first;
} ForeignPairs;

typedef struct ForeignParts ForeignParts;

/* wishes [*count], at most params->count := where the tensors of the pairs are to be read to, for
 * weights [params->size]. NULL for want of memory. */
ForeignParts *foreign_parts_wish(const ForeignPairs *pairs, float *weights, TensorWish *wishes,
                                 int *count, Error *error);

/* After the reading: the parts go to their places, and queries, keys and values into our order. */
void foreign_parts_place(ForeignParts *parts);

/* NULL is fine. */
void foreign_parts_free(ForeignParts *parts);
