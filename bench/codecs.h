/* Pictures encoded in memory, and decoded again by libjpeg and libpng alone.
 *
 * The bare decoders do what a program has to do at least: a header, all rows, the end. They know of no
 * damage, no orientation and no other kinds of pixels. An error of a library ends the process, since
 * the bytes are made here.
 */
#pragma once

#include "data/picture.h"

/* A file in memory; free(bytes). */
typedef struct EncodedPicture {
    uint8_t *bytes;
    size_t size;
} EncodedPicture;

/* pixels [side, side, 3] as a file: JPEG of quality 90 with halved colours, or PNG with libpng's own
 * settings. */
EncodedPicture codec_encode(PictureKind kind, const uint8_t *pixels, int side);

/* pixels [side, side, 3] := the picture. Several threads may call it at a time. */
void codec_decode(PictureKind kind, const EncodedPicture *file, uint8_t *pixels, int side);

/* The version of libpng, "1.6.39". */
const char *codec_png_version(void);
