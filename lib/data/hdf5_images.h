/* A data set of pictures in HDF5: /images, uint8 [N, height, width, channels], as it lies on disk.
 *
 * A small one is read wholly. A large one stays in its file, and the rows asked for are read
 * when they are asked for.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct Hdf5Images Hdf5Images;

/* The largest data set that is kept in memory, bytes. */
enum { HDF5_IMAGES_IN_MEMORY = 1 << 30 };

/* Opens `path`, whose images must be resolution x resolution x channels. `in_memory` is the
 * limit in bytes: HDF5_IMAGES_IN_MEMORY, or less in tests. */
bool hdf5_images_open(Hdf5Images **images, const char *path, int resolution, int channels,
                      int64_t in_memory, Error *error);

int64_t hdf5_images_count(const Hdf5Images *images);

/* pixels [n, height, width, channels] := the images `indices` [n]. */
bool hdf5_images_read(Hdf5Images *images, const int64_t *indices, int n, uint8_t *pixels,
                      Error *error);

/* NULL is fine. */
void hdf5_images_close(Hdf5Images *images);
