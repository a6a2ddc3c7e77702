/* Tests of the sizes of pictures: headers beside the decoders, and a directory. */
#include "data/picture.h"
#include "data/picture_survey.h"

#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static Error error; /* of the last call */

enum { WIDTH = 13, HEIGHT = 7 };

/* The decoder and the header agree, and no part of the file that lacks its header is taken. */
static void check_header(MadeFile file, bool has_colours)
{
    int width = 0, height = 0, channels = 0;
    Picture picture;
    ck_assert(picture_header(file.bytes, (int64_t)file.size, &width, &height, &channels));
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    ck_assert_int_eq(width, picture.width);
    ck_assert_int_eq(height, picture.height);
    ck_assert_int_eq(channels, has_colours ? 3 : 1);
    picture_free(&picture);
    bool taken = true;
    for (int64_t size = (int64_t)file.size; size >= 0; size--) { /* a copy, for the sanitizer */
        uint8_t *part = malloc((size_t)size + 1);
        memcpy(part, file.bytes, (size_t)size);
        part = realloc(part, (size_t)size > 0 ? (size_t)size : 1);
        const bool now = picture_header(part, size, &width, &height, &channels);
        ck_assert(taken || !now);
        taken = now;
        free(part);
    }
    ck_assert(!taken);
    free(file.bytes);
}

START_TEST(headers_tell_what_the_decoders_tell)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GA, PNG_COLOR_TYPE_PALETTE,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    static const JpegKind kinds[] = {
        {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE},
        {.given = JCS_RGB, .stored = JCS_YCbCr, .halved = true},
        {.given = JCS_RGB, .stored = JCS_YCbCr, .progressive = true, .profile = true},
        {.given = JCS_CMYK, .stored = JCS_YCCK, .adobe = true, .restart_rows = 1}};
    uint16_t samples[WIDTH * HEIGHT * 4] = {0};
    uint8_t pixels[WIDTH * HEIGHT * 4] = {0};
    for (int i = 0; i < 5; i++) {
        const PngKind kind = {.type = types[i], .depth = 8, .interlaced = i % 2};
        check_header(made_png(&kind, WIDTH, HEIGHT, samples), i >= 2);
    }
    for (int i = 0; i < 4; i++)
        check_header(made_jpeg(&kinds[i], WIDTH, HEIGHT, pixels), i > 0);
}
END_TEST

static void write_grey(const char *name, int width, int height)
{
    const uint8_t pixels[32 * 32] = {0};
    MadeFile file = made_plain_png(width, height, 1, pixels);
    scratch_write(scratch_path(name), file.bytes, file.size);
    free(file.bytes);
}

START_TEST(a_survey_has_the_range_of_sizes)
{
    PictureSurvey survey;
    ck_assert_int_eq(mkdir(scratch_path("set"), 0777), 0);
    write_grey("set/a.png", 10, 10);
    assert_ok(picture_survey_read(&survey, scratch_path("set"), &error));
    ck_assert(picture_survey_is_even(&survey) && survey.least_side == 10);
    write_grey("set/b.png", 32, 9);
    write_grey("set/c.png", 12, 20);
    scratch_write(scratch_path("set/d.png"), "\x89PNG\r\n\x1a\n", 8); /* broken */
    scratch_write(scratch_path("set/e.txt"), "text", 4);
    assert_ok(picture_survey_read(&survey, scratch_path("set"), &error));
    ck_assert(!picture_survey_is_even(&survey) && !survey.has_colours);
    ck_assert_int_eq(survey.pictures, 3);
    ck_assert_int_eq(survey.least_width, 10);
    ck_assert_int_eq(survey.most_width, 32);
    ck_assert_int_eq(survey.least_height, 9);
    ck_assert_int_eq(survey.most_height, 20);
    ck_assert_int_eq(survey.least_side, 9);
    assert_fails(picture_survey_read(&survey, scratch_path("none"), &error), "none");
}
END_TEST

/* A JPEG whose header lies behind `segments` segments of 65,533 bytes, as those of profiles are. */
static void write_late_header(const char *name, int segments)
{
    enum { SEGMENT = 65535 };
    const JpegKind kind = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
    const uint8_t pixels[WIDTH * HEIGHT] = {0};
    MadeFile file = made_jpeg(&kind, WIDTH, HEIGHT, pixels);
    const size_t more = (size_t)segments * (SEGMENT + 2), size = file.size + more;
    uint8_t *bytes = calloc(size, 1), *at = bytes + 2;
    memcpy(bytes, file.bytes, 2);
    for (int i = 0; i < segments; i++, at += SEGMENT + 2)
        memcpy(at, (const uint8_t[]){0xff, 0xe2, SEGMENT >> 8, SEGMENT & 255}, 4);
    memcpy(at, file.bytes + 2, file.size - 2);
    scratch_write(scratch_path(name), bytes, size);
    free(file.bytes);
    free(bytes);
}

START_TEST(a_survey_finds_a_header_behind_megabytes)
{
    PictureSurvey survey;
    ck_assert_int_eq(mkdir(scratch_path("late"), 0777), 0);
    write_late_header("late/a.jpg", 1);
    write_late_header("late/b.jpg", 40);
    assert_ok(picture_survey_read(&survey, scratch_path("late"), &error));
    ck_assert_int_eq(survey.pictures, 2);
    ck_assert_int_eq(survey.most_width, WIDTH);
    ck_assert_int_eq(survey.least_height, HEIGHT);
}
END_TEST

/* More than are looked at side by side. */
START_TEST(a_survey_counts_all_files)
{
    PictureSurvey survey;
    ck_assert_int_eq(mkdir(scratch_path("many"), 0777), 0);
    for (int i = 0; i < 600; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%d.png", i);
        write_grey(name, 5 + i % 7, 8);
    }
    assert_ok(picture_survey_read(&survey, scratch_path("many"), &error));
    ck_assert_int_eq(survey.pictures, 600);
    ck_assert_int_eq(survey.least_width, 5);
    ck_assert_int_eq(survey.most_width, 11);
}
END_TEST

SUITE_MAIN("sizes of pictures", headers_tell_what_the_decoders_tell,
           a_survey_has_the_range_of_sizes, a_survey_finds_a_header_behind_megabytes,
           a_survey_counts_all_files)
