/* Writes images as a NumPy archive: FILE.npz with one array, arr_0, uint8 [n, H, W, C].
 *
 * Programs that compute FID read such files. Their network needs colours, so grey images get three
 * equal channels. A file appears whole or not at all (base/atomic_file.h), and equal images make
 * equal bytes.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct NpzWriter NpzWriter;

/* Begins a file of `count` square images with `channels` channels. Input error if another kind of
 * file would be lost, or the archive would have more than the 4 GiB of its format. */
bool npz_create(NpzWriter **writer, const char *path, int64_t count, int resolution, int channels,
                Error *error);

/* Appends images [count, resolution, resolution, channels], in [-1, 1], as bytes (byte_of_pixel). */
bool npz_append(NpzWriter *writer, const float *images, int64_t count, Error *error);

/* Puts the file in place; all images must have been appended. Releases the writer either way. */
bool npz_commit(NpzWriter *writer, Error *error);

/* Gives up the file; an older one stays. NULL is fine. */
void npz_discard(NpzWriter *writer);
