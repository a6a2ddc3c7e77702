/* Arrays of images in HDF5 files: [n, C, H, W] there, NHWC in memory.
 *
 * They are read and written a few rows at a time, so that their size never matters. Numbers read
 * are checked: one that isn't finite would only come out again as an image of nothing.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "hdf5/hdf5_file.h"

#include <stddef.h>
#include <stdint.h>

/* The most images a command works on; their index must fit the key of a random number. */
enum { IMAGE_ARRAY_LIMIT = 10000000 };

typedef struct ImageArray {
    Hdf5Rows *rows;
    char *place; /* "F.h5:/x", for messages */
    int channels;
    int pixels;      /* of one image */
    int64_t per_row; /* images in one row: 1, or n in an array [steps, n, C, H, W] */
    float *scratch;  /* [scratch_images, C, H, W] */
    int64_t scratch_images;
} ImageArray;

/* Opens `name`, floating-point [n, C, H, W] of the channels and the resolution of `config`. *count
 * is the expected n, or HDF5_ANY and becomes the found one, 1 to IMAGE_ARRAY_LIMIT. After a failure
 * of this or of the next two, closing is allowed, not needed. */
bool image_array_open(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                      int64_t *count, Error *error);

/* The same for [steps, n, C, H, W], whose rows are steps. */
bool image_array_open_steps(ImageArray *array, Hdf5File *file, const char *name,
                            const Config *config, int64_t steps, int64_t count, Error *error);

/* A new array, float32 [count, C, H, W]. */
bool image_array_create(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                        int64_t count, Error *error);

/* images [count * per_row, H, W, C] := rows first .. first + count - 1, and the other way. */
bool image_array_read(ImageArray *array, int64_t first, int64_t count, float *images, Error *error);
bool image_array_write(ImageArray *array, int64_t first, int64_t count, const float *images,
                       Error *error);

/* To be closed before its file. Fine on a zeroed struct. */
void image_array_close(ImageArray *array);
