/* Pictures decoded from PNG and JPEG in memory.
 *
 *     PNG     grey, palette and colours of 1 to 16 bits, with or without alpha or tRNS, interlaced or
 *             not. 16 bits are rounded to 8. gAMA, sRGB and cHRM are ignored.
 *     JPEG    grey, YCbCr, RGB, CMYK and YCCK, sequential and progressive. CMYK becomes
 *             R = C K / 255 of the inverted inks, and likewise G and B.
 *
 * The orientation of EXIF is applied. A colour profile (ICC) is ignored, and has_profile says so.
 * Errors say what is wrong with the picture, to follow the name of its file: "is truncated". They are
 * of kind ERROR_INPUT, but for a want of memory. Functions may run in several threads at a time.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PICTURE_MAX_SIDE = 65500,
    /* Of a picture: a small file can unpack to more, and is refused. */
    PICTURE_MAX_PIXELS = 1 << 26,
    /* Bytes that picture_kind looks at. */
    PICTURE_MAGIC = 8,
};

typedef enum PictureKind { PICTURE_NONE, PICTURE_PNG, PICTURE_JPEG } PictureKind;

typedef struct Picture {
    int width, height;
    /* 1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha. */
    int channels;
    /* [height, width, channels] */
    uint8_t *pixels;
    bool has_profile;
} Picture;

/* What a file with these first bytes is. */
PictureKind picture_kind(const uint8_t *bytes, size_t size);

/* Decodes the file bytes [size]. Input error if it is damaged, truncated or too large. The caller
 * frees the picture. */
bool picture_decode(Picture *picture, const uint8_t *bytes, size_t size, Error *error);

/* The library that decodes JPEG, "libjpeg-turbo 2.1.5". */
const char *picture_jpeg_library(void);

/* Fine on a zeroed struct. */
void picture_free(Picture *picture);
