/* The index of pictures as one block of bytes, in which a cache keeps it.
 *
 *     uint64 prints [count], uint64 sources [files], uint32 slots [count], int32 labels [count]
 *     texts, each with its zero: outside, first_other, the complaints that are listed, class_names
 *
 * The numbers that say how much there is lie outside of the block.
 */
#pragma once

#include "base/error.h"
#include "data/picture_index.h"

#include <stddef.h>

/* The numbers of a PictureIndex of the same names. */
typedef struct PictureCounts {
    int64_t count, files, classes, broken, profiles, others;
} PictureCounts;

PictureCounts picture_counts(const PictureIndex *index);

/* Whether an index may have these numbers, and a block of `size` bytes. */
bool picture_counts_are_possible(const PictureCounts *counts, int64_t size);

/* The block, for memory_free, and its size. */
uint8_t *picture_index_pack(const PictureIndex *index, size_t *size);

/* *index := what the block [size] holds. Numbers and size are possible. False if the block is damaged or
 * there is too little memory. The caller frees the index, after a failure too. */
bool picture_index_unpack(PictureIndex *index, const PictureCounts *counts, const uint8_t *block,
                          size_t size);
