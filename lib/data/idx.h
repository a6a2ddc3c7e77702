/* IDX: the file format of MNIST and its descendants, one array of bytes after a short header.
 *
 *     00 00 08 03   magic: type 08 (unsigned bytes), 03 axes
 *     count, height, width   big-endian 32-bit, then count * height * width bytes
 *
 * The files are small (47 MB for 60,000 images of 28x28), so one is read wholly, as bytes.
 * Plain or compressed by gzip makes no difference to the reader.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct IdxImages {
    uint8_t *pixels; /* [count, resolution, resolution] */
    int64_t count;
} IdxImages;

/* Reads the images of `path`, which must be resolution x resolution pixels. Input error if the
 * file is anything but a complete IDX file of such images. Memory is allocated for what the
 * file turns out to hold (twice that at the most), not for what its header says. */
bool idx_read(IdxImages *images, const char *path, int resolution, Error *error);

void idx_free(IdxImages *images);

/* A file of labels: magic 00 00 08 01, a count, a byte each. Read like one of images; labels [*count], for
 * memory_free. */
bool idx_read_labels(uint8_t **labels, int64_t *count, const char *path, Error *error);
