/* CIFAR-10 and CIFAR-100 as their authors publish them for C: files of rows, in a directory or a tar
 * archive.
 *
 *     CIFAR-10    data_batch_1.bin ... data_batch_5.bin, test_batch.bin
 *                 a row: 1 byte of label, 3072 bytes of pixels
 *     CIFAR-100   train.bin, test.bin
 *                 a row: 1 byte of coarse label, 1 byte of fine label, 3072 bytes of pixels
 *
 * The pixels of a row are 32 x 32 of red, then of green, then of blue. The labels of CIFAR-100 are the
 * fine ones. A directory may hold the files itself, or the folder that the published archive has.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

enum { CIFAR_SIDE = 32, CIFAR_CHANNELS = 3 };

typedef struct CifarImages {
    /* [count, 32, 32, 3] */
    uint8_t *pixels;
    /* [count] */
    uint8_t *labels;
    int64_t count;
} CifarImages;

/* Whether the directory or the archive `path` holds one of these files, by their names. False where
 * it cannot be read. */
bool cifar_detects(const char *path);

/* Reads the training images of `path`, or the test images. Input error if a file is missing, damaged
 * or has impossible labels. The caller frees `images`. */
bool cifar_read(CifarImages *images, const char *path, bool test, Error *error);

/* Fine on a zeroed struct. */
void cifar_free(CifarImages *images);
