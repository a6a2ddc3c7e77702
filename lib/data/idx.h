/* IDX: the file format of MNIST and its descendants, one array of bytes after a short header.
 *
 *     00 00 08 03            magic: type 08 (unsigned bytes), 3 axes
 *     count, height, width   big-endian 32-bit, then count * height * width bytes
 *
 *     00 00 08 01            labels: 1 axis
 *     count                  then count bytes
 *
 * The files are small (47 MB for 60,000 images of 28x28), so one is read wholly, as bytes. It may
 * be compressed by gzip.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct IdxImages {
    /* [count, resolution, resolution] */
    uint8_t *pixels;
    int64_t count;
} IdxImages;

/* Whether the file `path` begins, once unpacked, as an IDX file of images or of labels. False where
 * it cannot be read. */
bool idx_detects(const char *path);

/* *resolution := the height and width of the images of `path`. Input error if it is no IDX file of
 * square images. */
bool idx_shape(int *resolution, const char *path, Error *error);

/* Reads the images of `path`, which must be resolution x resolution pixels. Input error if the file
 * is anything but a complete IDX file of such images. Memory grows with the data that the file has,
 * to at most twice their size: a header that promises more costs nothing. */
bool idx_read(IdxImages *images, const char *path, int resolution, Error *error);

/* Fine on a zeroed struct. */
void idx_free(IdxImages *images);

/* Reads a file of labels in the same way: labels [*count], which the caller frees with
 * memory_free. */
bool idx_read_labels(uint8_t **labels, int64_t *count, const char *path, Error *error);
