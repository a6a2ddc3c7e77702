/* A data set of pictures in HDF5: an array /images, uint8 [N, height, width, channels].
 *
 * A small array is read wholly. A large one stays in its file, and its rows are read when they are
 * asked for.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct Hdf5Images Hdf5Images;

/* Bytes of the largest data set that is kept in memory. */
enum { HDF5_IMAGES_IN_MEMORY = 1 << 30 };

/* Opens `path`, whose images must be resolution x resolution x channels; input error if they are
 * not. `in_memory` is the limit in bytes: HDF5_IMAGES_IN_MEMORY, less in tests. */
bool hdf5_images_open(Hdf5Images **images, const char *path, int resolution, int channels,
                      int64_t in_memory, Error *error);

int64_t hdf5_images_count(const Hdf5Images *images);

/* pixels [n, height, width, channels] := the images `indices` [n], which are in range. Not for
 * several threads at a time. */
bool hdf5_images_read(Hdf5Images *images, const int64_t *indices, int n, uint8_t *pixels,
                      Error *error);

/* NULL is fine. */
void hdf5_images_close(Hdf5Images *images);
