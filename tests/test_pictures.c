/* Tests of decoders: every kind of PNG and JPEG, and pictures that are broken. */
#include "data/picture.h"

#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/suite.h"

#include <zlib.h>

static Error error; /* of the last call */

/* -- PNG --------------------------------------------------------------------------------------- */

enum { WIDTH = 11, HEIGHT = 9, MOST = WIDTH * HEIGHT * 4 };

/* Samples of a fixed pattern. Some are 0 in all channels, as transparent colours are. */
static void fill_samples(uint16_t *samples, const PngKind *kind)
{
    const int channels = made_channels(kind->type);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        for (int c = 0; c < channels; c++)
            samples[p * channels + c] =
                (uint16_t)(p % 5 == 0 ? 0 : (p * 2654 + c * 977 + 17) % (1 << kind->depth));
}

/* A sample as 8 bits. */
static int eight_bits(int sample, int depth)
{
    return depth == 16 ? (sample * 255 + 32767) / 65535 : sample * 255 / ((1 << depth) - 1);
}

/* Channel c of pixel p of the decoded picture. */
static int expected_sample(const PngKind *kind, const uint16_t *samples, int p, int c)
{
    const int stored = made_channels(kind->type);
    const uint16_t *pixel = samples + p * stored;
    const int colours = kind->type == PNG_COLOR_TYPE_PALETTE ? 3 : stored - (stored % 2 == 0);
    if (c == colours && kind->transparent) {
        bool zero = true;
        for (int i = 0; i < stored; i++)
            zero = zero && pixel[i] == 0;
        return zero ? 0 : 255;
    }
    return kind->type == PNG_COLOR_TYPE_PALETTE ? made_palette(pixel[0], c)
                                                : eight_bits(pixel[c], kind->depth);
}

static void check_png(const PngKind *kind)
{
    uint16_t samples[MOST];
    fill_samples(samples, kind);
    MadeFile file = made_png(kind, WIDTH, HEIGHT, samples);
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    const int stored = made_channels(kind->type);
    const int channels =
        (kind->type == PNG_COLOR_TYPE_PALETTE ? 3 : stored) + (kind->transparent ? 1 : 0);
    ck_assert_int_eq(picture.channels, channels);
    ck_assert(picture.width == WIDTH && picture.height == HEIGHT);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        for (int c = 0; c < channels; c++)
            ck_assert_msg(picture.pixels[p * channels + c] == expected_sample(kind, samples, p, c),
                          "type %d, depth %d, pixel %d, channel %d: %d", kind->type, kind->depth, p,
                          c, picture.pixels[p * channels + c]);
    picture_free(&picture);
    free(file.bytes);
}

START_TEST(every_kind_of_png_is_read)
{
    static const struct {
        int type, depths[6];
    } types[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                 {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                 {PNG_COLOR_TYPE_RGB, {8, 16}},
                 {PNG_COLOR_TYPE_GA, {8, 16}},
                 {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
    int count = 0;
    for (int t = 0; t < 5; t++)
        for (int d = 0; types[t].depths[d]; d++)
            for (int way = 0; way < 4; way++) {
                const PngKind kind = {.type = types[t].type,
                                      .depth = types[t].depths[d],
                                      .interlaced = way & 1,
                                      .transparent = way & 2};
                if (kind.transparent && (kind.type & PNG_COLOR_MASK_ALPHA))
                    continue; /* a picture with alpha has no transparent colour */
                check_png(&kind);
                count++;
            }
    ck_assert_int_eq(count, 52);
}
END_TEST

/* -- JPEG -------------------------------------------------------------------------------------- */

/* A slope of light, which JPEG keeps to a few levels. */
static uint8_t slope(int x, int y, int c)
{
    return (uint8_t)(40 + 4 * x + 3 * y + 20 * c);
}

/* The colour that the inks of a picture make. */
static int light_of(const JpegKind *kind, const uint8_t *inks, int c)
{
    return kind->adobe ? inks[c] * inks[3] / 255 : (255 - inks[c]) * (255 - inks[3]) / 255;
}

static void check_jpeg(const JpegKind *kind, int side)
{
    uint8_t pixels[32 * 32 * 4];
    const int channels = kind->given == JCS_GRAYSCALE ? 1 : kind->given == JCS_RGB ? 3 : 4;
    for (int p = 0; p < side * side; p++)
        for (int c = 0; c < channels; c++)
            pixels[p * channels + c] = slope(p % side, p / side, c);
    MadeFile file = made_jpeg(kind, side, side, pixels);
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    ck_assert_int_eq(picture.channels, channels == 1 ? 1 : 3);
    for (int p = 0; p < side * side; p++)
        for (int c = 0; c < picture.channels; c++) {
            const int expected =
                channels == 4 ? light_of(kind, pixels + 4 * p, c) : pixels[p * channels + c];
            const int found = picture.pixels[p * picture.channels + c];
            ck_assert_msg(abs(found - expected) <= 8, "stored as %d: %d at pixel %d, expected %d",
                          kind->stored, found, p, expected);
        }
    picture_free(&picture);
    free(file.bytes);
}

START_TEST(every_kind_of_jpeg_is_read)
{
    static const J_COLOR_SPACE spaces[][2] = {{JCS_GRAYSCALE, JCS_GRAYSCALE},
                                              {JCS_RGB, JCS_YCbCr},
                                              {JCS_RGB, JCS_RGB},
                                              {JCS_CMYK, JCS_CMYK},
                                              {JCS_CMYK, JCS_YCCK}};
    int count = 0;
    for (int s = 0; s < 5; s++)
        for (int way = 0; way < 8; way++)
            for (int odd = 0; odd < 2; odd++) {
                const JpegKind kind = {.given = spaces[s][0],
                                       .stored = spaces[s][1],
                                       .progressive = way & 1,
                                       .halved = way & 2,
                                       .restart_rows = way & 4 ? 1 : 0,
                                       .adobe = spaces[s][1] != JCS_GRAYSCALE};
                check_jpeg(&kind, odd ? 17 : 16);
                count++;
            }
    const JpegKind plain = {.given = JCS_CMYK, .stored = JCS_CMYK}; /* without Adobe's marker */
    check_jpeg(&plain, 16);
    ck_assert_int_eq(count, 80);
}
END_TEST

/* -- Orientation and profiles ------------------------------------------------------------------ */

START_TEST(the_orientation_of_exif_is_applied)
{
    /* Stored as 1 2 3 / 4 5 6; the rows that a viewer shows. */
    static const char *const shown[9] = {"",         "123/456",  "321/654",  "654/321", "456/123",
                                         "14/25/36", "41/52/63", "63/52/41", "36/25/14"};
    const uint16_t samples[6] = {1, 2, 3, 4, 5, 6};
    for (int o = 1; o <= 8; o++) {
        const PngKind kind = {.type = PNG_COLOR_TYPE_GRAY, .depth = 8, .orientation = o};
        MadeFile file = made_png(&kind, 3, 2, samples);
        Picture picture;
        char found[16] = "";
        assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
        for (int y = 0, at = 0; y < picture.height; y++) {
            if (y > 0)
                found[at++] = '/';
            for (int x = 0; x < picture.width; x++)
                found[at++] = (char)('0' + picture.pixels[y * picture.width + x]);
        }
        ck_assert_str_eq(found, shown[o]);
        picture_free(&picture);
        free(file.bytes);
    }
    uint8_t pixels[16 * 8] = {0};
    for (int more = 0; more < 2; more++) {
        const JpegKind kind = {
            .given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .orientation = 6, .more_exif = more};
        MadeFile file = made_jpeg(&kind, 16, 8, pixels);
        Picture picture;
        assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
        ck_assert(picture.width == 8 && picture.height == 16);
        picture_free(&picture);
        free(file.bytes);
    }
}
END_TEST

START_TEST(the_decoder_of_jpeg_has_a_name)
{
    ck_assert_int_eq(strncmp(picture_jpeg_library(), "libjpeg", 7), 0);
}
END_TEST

START_TEST(a_colour_profile_is_seen)
{
    uint8_t pixels[64] = {0};
    for (int with = 0; with < 2; with++) {
        const JpegKind kind = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .profile = with};
        MadeFile file = made_jpeg(&kind, 8, 8, pixels);
        Picture picture;
        assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
        ck_assert_int_eq(picture.has_profile, with);
        picture_free(&picture);
        free(file.bytes);
    }
}
END_TEST

/* -- Broken pictures --------------------------------------------------------------------------- */

/* Wherever a picture is cut off it is refused, but behind its last pixel. */
static void check_cuts(MadeFile file, size_t tail)
{
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    picture_free(&picture);
    for (size_t cut = 0; cut < file.size - tail; cut++) {
        uint8_t *part = malloc(cut + 1); /* of this size, so that a sanitizer sees reads beyond */
        memcpy(part, file.bytes, cut);
        ck_assert_msg(!picture_decode(&picture, part, cut, &error), "%zu of %zu bytes", cut,
                      file.size);
        ck_assert_ptr_null(picture.pixels);
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        free(part);
    }
    free(file.bytes);
}

START_TEST(truncated_pictures_are_refused)
{
    uint8_t pixels[16 * 16 * 3];
    for (int i = 0; i < 16 * 16 * 3; i++)
        pixels[i] = (uint8_t)(i * 37);
    check_cuts(made_plain_png(8, 8, 3, pixels), 0);
    JpegKind kind = {.given = JCS_RGB, .stored = JCS_YCbCr};
    check_cuts(made_jpeg(&kind, 16, 16, pixels), 0);
    kind.progressive = true;
    check_cuts(made_jpeg(&kind, 16, 16, pixels), 0);
}
END_TEST

static void decode_fails(const uint8_t *bytes, size_t size, const char *text)
{
    Picture picture;
    assert_fails(picture_decode(&picture, bytes, size, &error), text);
}

START_TEST(damaged_pictures_are_refused)
{
    uint8_t pixels[8 * 8] = {0};
    MadeFile file = made_plain_png(8, 8, 1, pixels);
    decode_fails(file.bytes, file.size - 1, "is truncated");
    file.bytes[file.size - 20] ^= 1;
    decode_fails(file.bytes, file.size, "is a damaged PNG (");
    free(file.bytes);
    decode_fails((const uint8_t *)"GIF89a", 6, "is neither PNG nor JPEG");
    decode_fails(NULL, 0, "is neither PNG nor JPEG");
}
END_TEST

/* A header of a few bytes that announces gigabytes. */
START_TEST(bombs_are_refused)
{
    uint16_t sample = 0;
    const PngKind kind = {.type = PNG_COLOR_TYPE_GRAY, .depth = 8};
    MadeFile file = made_png(&kind, 1, 1, &sample);
    static const uint32_t sides[2] = {65000, 2000000000};
    for (int i = 0; i < 2; i++) {
        for (int b = 0; b < 4; b++)
            file.bytes[16 + b] = file.bytes[20 + b] = (uint8_t)(sides[i] >> (24 - 8 * b));
        const uint32_t sum = (uint32_t)crc32(0, file.bytes + 12, 17);
        for (int b = 0; b < 4; b++)
            file.bytes[29 + b] = (uint8_t)(sum >> (24 - 8 * b));
        Picture picture;
        ck_assert(!picture_decode(&picture, file.bytes, file.size, &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        ck_assert(i > 0 || strstr(error.message, "has 65000 x 65000 pixels, expected at most"));
    }
    free(file.bytes);
}
END_TEST

SUITE_MAIN("pictures", every_kind_of_png_is_read, every_kind_of_jpeg_is_read,
           the_orientation_of_exif_is_applied, the_decoder_of_jpeg_has_a_name,
           a_colour_profile_is_seen, truncated_pictures_are_refused, damaged_pictures_are_refused,
           bombs_are_refused)
