/* NumPy's files: .npy, one array, and .npz, a zip archive of such files.
 *
 *     images    uint8 [N, H, W, C] or [N, C, H, W], or [N, H, W] for grey ones; in an .npz the array
 *               `images`, else `arr_0`, else the only array of 3 or 4 axes
 *     labels    integers [N]; in an .npz the array `labels`, else `arr_1`, else the only array of
 *               integers with 1 axis
 *
 * Floats (float16, float32, float64) are read where the caller says what they range over. They become
 * the nearest bytes.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stdint.h>

typedef struct NumpyImages {
    /* [count, resolution, resolution, channels] */
    uint8_t *pixels;
    int64_t count;
    /* Values further than 1/100 of a step from the byte that they became. */
    int64_t rounded;
} NumpyImages;

/* Whether the file `path` is an .npy or an .npz, by its content. False where it cannot be read. */
bool numpy_detects(const char *path);

/* The height and width of the images of `path`, and their channels. Where both layouts fit, the
 * channels are the axis that is at most 4, and [N, H, W, C] if both are. */
bool numpy_shape(int *resolution, int *channels, const char *path, Error *error);

/* Reads the images of `path`, which must be resolution x resolution with that many channels. Input
 * error if they are not, if the file is damaged, or if a float lies outside of its range. Memory grows
 * with the data that the file has. The caller frees `images`. */
bool numpy_read(NumpyImages *images, const char *path, int resolution, int channels,
                DataFloats floats, Error *error);

/* Fine on a zeroed struct. */
void numpy_free(NumpyImages *images);

/* labels [*count] := the labels in `path`, for memory_free. */
bool numpy_read_labels(int64_t **labels, int64_t *count, const char *path, Error *error);
