/* The decoders of pictures, one for each kind of file, and what they share. Private to picture.c. */
#pragma once

#include "data/picture.h"

/* Decode the bytes into pixels as they are stored. *orientation is that of EXIF, 1 to 8. The caller
 * frees the picture, after a failure too. */
bool picture_decode_png(Picture *picture, const uint8_t *bytes, size_t size, int *orientation,
                        Error *error);
bool picture_decode_jpeg(Picture *picture, const uint8_t *bytes, size_t size, int *orientation,
                         Error *error);

/* Sets the shape of a picture and allocates its pixels, which the caller writes. Input error if it has
 * too many. */
bool picture_make(Picture *picture, int64_t width, int64_t height, int channels, Error *error);

/* The orientation in EXIF's data, which begin with "II" or "MM"; 1 if they say none. */
int exif_orientation(const uint8_t *bytes, size_t size);
