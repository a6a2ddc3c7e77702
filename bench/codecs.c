/* Calls libjpeg and libpng as their manuals show it. */
#include "bench/codecs.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { QUALITY = 90, CHANNELS = 3 };

/* -- JPEG -------------------------------------------------------------------------------------- */

static EncodedPicture encode_jpeg(const uint8_t *pixels, int side)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
    jpeg.input_components = CHANNELS;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < side; y++) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)y * (size_t)side * CHANNELS);
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (EncodedPicture){bytes, size};
}

static void decode_jpeg(const EncodedPicture *file, uint8_t *pixels)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, file->bytes, file->size);
    (void)jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = pixels + (size_t)jpeg.output_scanline * jpeg.output_width * CHANNELS;
        (void)jpeg_read_scanlines(&jpeg, &row, 1);
    }
    (void)jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
}

/* -- PNG --------------------------------------------------------------------------------------- */

static void append(png_structp png, png_bytep bytes, size_t size)
{
    EncodedPicture *file = png_get_io_ptr(png);
    uint8_t *grown = realloc(file->bytes, file->size + size);
    if (!grown)
        png_error(png, "no memory");
    memcpy(grown + file->size, bytes, size);
    file->bytes = grown;
    file->size += size;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static EncodedPicture encode_png(const uint8_t *pixels, int side)
{
    EncodedPicture file = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &file, append, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)side, (png_uint_32)side, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < side; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)side * CHANNELS);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return file;
}

/* What is left to read of a file. */
typedef struct Rest {
    const uint8_t *bytes;
    size_t size;
} Rest;

static void give_bytes(png_structp png, png_bytep target, size_t size)
{
    Rest *rest = png_get_io_ptr(png);
    if (size > rest->size)
        png_error(png, "truncated");
    memcpy(target, rest->bytes, size);
    rest->bytes += size;
    rest->size -= size;
}

static void decode_png(const EncodedPicture *file, uint8_t *pixels, int side)
{
    Rest rest = {file->bytes, file->size};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_read_fn(png, &rest, give_bytes);
    png_read_info(png, info);
    for (int y = 0; y < side; y++)
        png_read_row(png, pixels + (size_t)y * (size_t)side * CHANNELS, NULL);
    png_read_end(png, info);
    png_destroy_read_struct(&png, &info, NULL);
}

const char *codec_png_version(void)
{
    return png_get_libpng_ver(NULL);
}

/* -- Both -------------------------------------------------------------------------------------- */

EncodedPicture codec_encode(PictureKind kind, const uint8_t *pixels, int side)
{
    return kind == PICTURE_JPEG ? encode_jpeg(pixels, side) : encode_png(pixels, side);
}

void codec_decode(PictureKind kind, const EncodedPicture *file, uint8_t *pixels, int side)
{
    if (kind == PICTURE_JPEG)
        decode_jpeg(file, pixels);
    else
        decode_png(file, pixels, side);
}
