/* Arrays of images in HDF5 files: [n, C, H, W] in the file, NHWC in memory.
 *
 * An array is read and written some rows at a time, so it may be larger than memory. A number that
 * is not finite is an error when it is read: the network would make an image of NaN from it.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "hdf5/hdf5_file.h"

#include <stddef.h>
#include <stdint.h>

/* A command works on at most this many images. The index of an image must fit the key of a
 * random number. */
enum { IMAGE_ARRAY_LIMIT = 10000000 };

typedef struct ImageArray {
    Hdf5Rows *rows;
    /* "F.h5:/x", for messages. */
    char *place;
    int channels;
    /* Of one image. */
    int pixels;
    /* Images in one row: 1, or n in an array [steps, n, C, H, W]. */
    int64_t per_row;
    /* [scratch_images, C, H, W]: rows in the order of the file. */
    float *scratch;
    int64_t scratch_images;
} ImageArray;

/* Opens the data set `name`: floating-point [n, C, H, W], C, H and W as in `config`. *count is
 * the expected n. HDF5_ANY accepts 1 to IMAGE_ARRAY_LIMIT images, and *count becomes their
 * number. After a failure of this function or of the next two the array may be closed, and need
 * not be. */
bool image_array_open(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                      int64_t *count, Error *error);

/* The same for [steps, n, C, H, W]. A row is a step. */
bool image_array_open_steps(ImageArray *array, Hdf5File *file, const char *name,
                            const Config *config, int64_t steps, int64_t count, Error *error);

/* Creates an array, float32 [count, C, H, W]. */
bool image_array_create(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                        int64_t count, Error *error);

/* images [count * per_row, H, W, C] := rows first .. first + count - 1; writing goes the other
 * way. */
bool image_array_read(ImageArray *array, int64_t first, int64_t count, float *images, Error *error);
bool image_array_write(ImageArray *array, int64_t first, int64_t count, const float *images,
                       Error *error);

/* Closes the array, before its file is closed. A zeroed struct is fine. */
void image_array_close(ImageArray *array);
