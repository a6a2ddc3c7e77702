/* Images for other programs as a NumPy archive: FILE.npz with the one array arr_0, uint8 [n, H, W, C].
 *
 * Programs that compute FID take such a file as it is. Their network wants colours, so grey images get
 * three equal channels. An .npz is a ZIP archive of .npy files, here of one, not compressed: a header, the
 * pixels, and a directory at the end. Images are appended as they come; the header, in which their checksum
 * stands, is written last. A file appears whole or not at all (base/atomic_file.h), and equal images make
 * equal bytes.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct NpzWriter NpzWriter;

/* Begins a file of `count` square images with so many channels. An input error where the name can't be one,
 * or where the archive would have more than the 4 GiB that its format has room for. */
bool npz_create(NpzWriter **writer, const char *path, int64_t count, int resolution, int channels,
                Error *error);

/* Appends images [count, resolution, resolution, channels], in [-1, 1], as bytes (picture/canvas.h). */
bool npz_append(NpzWriter *writer, const float *images, int64_t count, Error *error);

/* Puts the file in place, after all of its images. Releases the writer either way. */
bool npz_commit(NpzWriter *writer, Error *error);

/* Gives it up; what had the name stays. NULL is fine. */
void npz_discard(NpzWriter *writer);
