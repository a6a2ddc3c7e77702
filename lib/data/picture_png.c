/* Decodes PNG by libpng, one of its doors.
 *
 * libpng leaves a failing call by longjmp, so everything that must survive it lies in a Decoder.
 * Limits on sides and chunks are set before the first chunk is read. Checksums of all chunks are
 * compared: transparency and orientation are in chunks that the format calls ancillary. Warnings
 * about the contents of such chunks are ignored.
 */
#include "base/memory.h"
#include "data/picture_codec.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

typedef struct Decoder {
    const uint8_t *bytes;
    size_t size, at;
    Picture *picture;
    int *orientation;
    Error *error;
    png_bytepp rows;
    char reason[120];
} Decoder;

static void give_bytes(png_structp png, png_bytep target, size_t size)
{
    Decoder *decoder = png_get_io_ptr(png);
    if (size > decoder->size - decoder->at)
        png_error(png, "truncated");
    memcpy(target, decoder->bytes + decoder->at, size);
    decoder->at += size;
}

static void fail(png_structp png, png_const_charp reason)
{
    Decoder *decoder = png_get_error_ptr(png);
    snprintf(decoder->reason, sizeof decoder->reason, "%s", reason);
    for (char *c = decoder->reason; *c; c++) /* it may quote the file */
        *c = *c >= ' ' && *c < 0x7f ? *c : '?';
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp reason)
{
    (void)png;
    (void)reason;
}

/* Asks for 8 bits in one of four layouts. */
static void set_layout(png_structp png, png_infop info)
{
    const int type = png_get_color_type(png, info);
    png_set_scale_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS))
        png_set_tRNS_to_alpha(png);
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void read_extras(const Decoder *decoder, png_structp png, png_infop info)
{
    png_bytep exif = NULL;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0)
        *decoder->orientation = exif_orientation(exif, size);
    decoder->picture->has_profile = png_get_valid(png, info, PNG_INFO_iCCP) != 0;
}

/* False with `error` set; a failure of libpng's does not return. */
static bool read_picture(Decoder *decoder, png_structp png, png_infop info)
{
    Picture *picture = decoder->picture;
    png_set_user_limits(png, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 1 << 23);
    png_set_chunk_cache_max(png, 128);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_read_fn(png, decoder, give_bytes);
    png_read_info(png, info);
    set_layout(png, info);
    if (!picture_make(picture, png_get_image_width(png, info), png_get_image_height(png, info),
                      png_get_channels(png, info), decoder->error))
        return false;
    const size_t row = (size_t)picture->width * (size_t)picture->channels;
    if (png_get_rowbytes(png, info) != row)
        png_error(png, "rows of an unexpected size");
    decoder->rows = memory_small((size_t)picture->height, sizeof *decoder->rows);
    for (int y = 0; y < picture->height; y++)
        decoder->rows[y] = picture->pixels + (size_t)y * row;
    png_read_image(png, decoder->rows);
    png_read_end(png, info);
    read_extras(decoder, png, info);
    return true;
}

bool picture_decode_png(Picture *picture, const uint8_t *bytes, size_t size, int *orientation,
                        Error *error)
{
    Decoder decoder = {.bytes = bytes,
                       .size = size,
                       .picture = picture,
                       .orientation = orientation,
                       .error = error};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, fail, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return error_runtime(error, "not enough memory to decode a PNG");
    }
    volatile bool ok = false;
    if (setjmp(png_jmpbuf(png)) == 0)
        ok = read_picture(&decoder, png, info);
    else if (strcmp(decoder.reason, "truncated") == 0)
        error_input(error, "is truncated");
    else
        error_input(error, "is a damaged PNG (%s)", decoder.reason);
    png_destroy_read_struct(&png, &info, NULL);
    memory_free(decoder.rows);
    return ok;
}
