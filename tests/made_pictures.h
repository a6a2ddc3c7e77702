/* Small PNG and JPEG files for tests, of every kind that the formats have. */
#pragma once

#include <check.h>
#include <png.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* A file in memory; free(bytes). */
typedef struct MadeFile {
    uint8_t *bytes;
    size_t size;
} MadeFile;

/* -- PNG --------------------------------------------------------------------------------------- */

typedef struct PngKind {
    /* PNG_COLOR_TYPE_*, and bits of a sample. */
    int type, depth;
    bool interlaced;
    /* Sample 0 (or the colour of zeros, or palette entry 0) is transparent. */
    bool transparent;
    /* EXIF's orientation; 0: none. */
    int orientation;
    /* A colour profile. */
    bool profile;
} PngKind;

static void made_append(png_structp png, png_bytep bytes, size_t size)
{
    MadeFile *file = png_get_io_ptr(png);
    file->bytes = realloc(file->bytes, file->size + size);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

static void made_flush(png_structp png)
{
    (void)png;
}

static inline int made_channels(int type)
{
    return type == PNG_COLOR_TYPE_RGB         ? 3
           : type == PNG_COLOR_TYPE_RGB_ALPHA ? 4
           : type == PNG_COLOR_TYPE_GA        ? 2
                                              : 1;
}

/* The colours of a palette: entry i. */
static inline uint8_t made_palette(int i, int c)
{
    return (uint8_t)(i * 40 + c * 70 + 5);
}

/* samples [height, width, channels of the type], each of the kind's bits. */
static inline MadeFile made_png(const PngKind *kind, int width, int height, const uint16_t *samples)
{
    MadeFile file = {NULL, 0};
    const int channels = made_channels(kind->type);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &file, made_append, made_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind->depth, kind->type,
                 kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind->type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[256];
        const int entries = 1 << kind->depth;
        for (int i = 0; i < entries; i++)
            palette[i] = (png_color){made_palette(i, 0), made_palette(i, 1), made_palette(i, 2)};
        png_set_PLTE(png, info, palette, entries);
    }
    const png_color_16 zero = {0, 0, 0, 0, 0};
    png_byte alpha = 0;
    if (kind->transparent)
        png_set_tRNS(png, info, &alpha, 1, &zero);
    uint8_t exif[26] = {
        'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, (uint8_t)kind->orientation};
    if (kind->orientation)
        png_set_eXIf_1(png, info, sizeof exif, exif);
    png_write_info(png, info);
    if (kind->profile) { /* libpng checks profiles when it writes them: this one is written raw */
        static const uint8_t chunk[] = {'x', 0, 0, 0x78, 0x9c, 3, 0, 0, 0, 0, 1};
        png_write_chunk(png, (png_const_bytep) "iCCP", chunk, sizeof chunk);
    }
    png_bytepp rows = calloc((size_t)height, sizeof *rows);
    for (int y = 0; y < height; y++) {
        rows[y] = calloc((size_t)(width * channels), 2);
        for (int i = 0; i < width * channels; i++) {
            const int sample = samples[y * width * channels + i], bit = i * kind->depth;
            if (kind->depth == 16) {
                rows[y][2 * i] = (uint8_t)(sample >> 8);
                rows[y][2 * i + 1] = (uint8_t)sample;
            } else {
                rows[y][bit / 8] |= (uint8_t)(sample << (8 - kind->depth - bit % 8));
            }
        }
    }
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    for (int y = 0; y < height; y++)
        free(rows[y]);
    free(rows);
    return file;
}

/* 8-bit RGB or grey. */
static inline MadeFile made_plain_png(int width, int height, int channels, const uint8_t *pixels)
{
    const size_t count = (size_t)(width * height * channels);
    uint16_t *samples = calloc(count, sizeof *samples);
    for (size_t i = 0; i < count; i++)
        samples[i] = pixels[i];
    const PngKind kind = {.type = channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                          .depth = 8};
    const MadeFile file = made_png(&kind, width, height, samples);
    free(samples);
    return file;
}

/* -- JPEG -------------------------------------------------------------------------------------- */

typedef struct JpegKind {
    /* What the pixels are (JCS_GRAYSCALE, JCS_RGB or JCS_CMYK), and what the file holds. */
    J_COLOR_SPACE given, stored;
    bool progressive, adobe, halved;
    int restart_rows;
    int orientation;
    /* Whether a second segment of EXIF goes on with the data of the first. */
    bool more_exif;
    bool profile;
} JpegKind;

static inline MadeFile made_jpeg(const JpegKind *kind, int width, int height, const uint8_t *pixels)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    const int channels = kind->given == JCS_GRAYSCALE ? 1 : kind->given == JCS_RGB ? 3 : 4;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = kind->given;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, kind->stored);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (!kind->halved)
        for (int c = 0; c < jpeg.num_components; c++)
            jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
    if (kind->progressive)
        jpeg_simple_progression(&jpeg);
    jpeg.restart_in_rows = kind->restart_rows;
    jpeg.write_Adobe_marker = kind->adobe;
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t exif[32] = {
        'E', 'x', 'i', 'f', 0,    0, 'M', 'M', 0, '*', 0, 0, 0,
        8,   0,   1,   1,   0x12, 0, 3,   0,   0, 0,   1, 0, (uint8_t)kind->orientation};
    if (kind->orientation)
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, sizeof exif);
    if (kind->more_exif)
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, (const JOCTET *)"Exif\0\0a long maker note", 24);
    if (kind->profile)
        jpeg_write_marker(&jpeg, JPEG_APP0 + 2, (const JOCTET *)"ICC_PROFILE\0\1\1x", 15);
    for (int y = 0; y < height; y++) {
        JSAMPROW row = (JSAMPROW)(pixels + y * width * channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (MadeFile){bytes, size};
}
