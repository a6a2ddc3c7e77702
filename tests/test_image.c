/* Tests of pictures: bytes, drawing, grids, and PNG files that libpng reads back. */
#include "base/memory.h"
#include "base/pixel.h"
#include "picture/font.h"
#include "picture/grid.h"
#include "picture/png.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <math.h>
#include <png.h>
#include <signal.h>
#include <sys/resource.h>

static Error error; /* of the last call */

static uint8_t pixel(const Canvas *canvas, int x, int y, int channel)
{
    return canvas->pixels[(y * canvas->width + x) * canvas->channels + channel];
}

START_TEST(values_become_bytes)
{
    for (int u = 0; u < 256; u++) /* what a data set's byte became goes back to itself */
        ck_assert_uint_eq(byte_of_pixel(2.0f * (float)u / 255.0f - 1.0f), (unsigned)u);
    ck_assert_uint_eq(byte_of_pixel(-1.5f), 0);
    ck_assert_uint_eq(byte_of_pixel(1.5f), 255);
    ck_assert_uint_eq(byte_of_pixel(INFINITY), 255);
    ck_assert_uint_eq(byte_of_pixel(-INFINITY), 0);
    ck_assert_uint_eq(byte_of_pixel(NAN), 0);
    ck_assert_uint_eq(byte_of_pixel(0.002f), 128);
    ck_assert_uint_eq(byte_of_pixel(-0.006f), 127);
}
END_TEST

START_TEST(impossible_canvases_are_refused)
{
    Canvas canvas;
    assert_fails_as(
        canvas_make(&canvas, 10, 10, 2, 0, &error), ERROR_INPUT,
        "a PNG shows images of 1 or 3 channels, these have 2: write them to a .h5 file");
    assert_fails_as(canvas_make(&canvas, 0, 10, 1, 0, &error), ERROR_INPUT, "0 x 10 pixels");
    assert_fails_as(canvas_make(&canvas, 10, 65537, 1, 0, &error), ERROR_INPUT,
                    "10 x 65537 pixels");
    GridLayout layout = {
        .height = 1000, .width = 1000, .channels = 1, .columns = 1000, .scale = 1000};
    assert_fails_as(image_grid(&canvas, NULL, 1000000, &layout, &error), ERROR_INPUT, "pixels");
    /* 2^32 + 100 pixels a side: an int would make 100 of it */
    layout = (GridLayout){.height = 65536,
                          .width = 65536,
                          .channels = 1,
                          .columns = 1,
                          .scale = 65536,
                          .padding = 50};
    assert_fails_as(image_grid(&canvas, NULL, 1, &layout, &error), ERROR_INPUT, "65537 x 65537");
    ck_assert(image_check_channels(1, &error) && image_check_channels(3, &error));
}
END_TEST

START_TEST(drawing_stays_inside)
{
    Canvas canvas;
    assert_ok(canvas_make(&canvas, 9, 7, 3, 255, &error));
    canvas_fill(&canvas, -5, -5, 7, 8, 10);
    canvas_fill(&canvas, 8, 6, 100, 100, 20);
    canvas_fill(&canvas, 50, 50, 5, 5, 30);
    canvas_draw_text(&canvas, -3, 4, "cut off at both ends", 1, 40);
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 9; x++)
            for (int c = 0; c < 3; c++)
                ck_assert_uint_eq(pixel(&canvas, x, y, c), x < 2 ? 10 : 255);
    canvas_fill(&canvas, 0, 0, 9, 7, 0);
    for (int i = 0; i < 9 * 7 * 3; i++)
        ck_assert_uint_eq(canvas.pixels[i], 0);
    canvas_free(&canvas);
}
END_TEST

START_TEST(a_grid_places_images)
{
    /* Five grey images 2x3 in rows of two, every pixel a square of 4. */
    float images[5 * 6];
    for (int i = 0; i < 30; i++)
        images[i] = -1 + (float)i / 15;
    const GridLayout layout = {
        .height = 2, .width = 3, .channels = 1, .columns = 2, .scale = 4, .padding = 1};
    Canvas canvas;
    assert_ok(image_grid(&canvas, images, 5, &layout, &error));
    ck_assert_int_eq(canvas.width, 2 * (12 + 1) + 1);
    ck_assert_int_eq(canvas.height, 3 * (8 + 1) + 1);
    for (int y = 0; y < canvas.height; y++)
        for (int x = 0; x < canvas.width; x++) {
            int column = (x - 1) / 13, row = (y - 1) / 9, image = 2 * row + column;
            int inner_x = (x - 1) % 13, inner_y = (y - 1) % 9;
            bool inside = x >= 1 && y >= 1 && inner_x < 12 && inner_y < 8 && image < 5;
            uint8_t expected = 255;
            if (inside)
                expected = byte_of_pixel(images[image * 6 + inner_y / 4 * 3 + inner_x / 4]);
            ck_assert_uint_eq(pixel(&canvas, x, y, 0), expected);
        }
    canvas_free(&canvas);

    assert_ok(image_grid(&canvas, images, 1, &layout, &error)); /* no room for what isn't there */
    ck_assert_int_eq(canvas.width, 14);
    canvas_free(&canvas);
}
END_TEST

START_TEST(every_character_has_a_glyph_of_its_own)
{
    bool glyphs[128][FONT_WIDTH * FONT_HEIGHT] = {{false}};
    for (int code = 32; code < 128; code++)
        for (int i = 0; i < FONT_WIDTH * FONT_HEIGHT; i++)
            glyphs[code][i] = font_pixel((char)code, i % FONT_WIDTH, i / FONT_WIDTH);
    for (int a = 32; a < 128; a++)
        for (int b = a + 1; b < 128; b++)
            ck_assert_msg(memcmp(glyphs[a], glyphs[b], sizeof glyphs[a]) != 0, "%c is like %c", a,
                          b);
    for (int i = 0; i < FONT_WIDTH * FONT_HEIGHT; i++) {
        int x = i % FONT_WIDTH, y = i / FONT_WIDTH;
        bool edge = x == 0 || x == FONT_WIDTH - 1 || y == 0 || y == FONT_HEIGHT - 1;
        ck_assert(!font_pixel(' ', x, y));
        ck_assert(font_pixel('\n', x, y) == edge && font_pixel((char)0xc3, x, y) == edge);
    }
    ck_assert_int_eq(canvas_text_width("", 3), 0);
    ck_assert_int_eq(canvas_text_width("ab", 3), 33);
}
END_TEST

START_TEST(text_is_drawn_from_its_glyphs)
{
    Canvas canvas;
    assert_ok(canvas_make(&canvas, 30, 18, 1, 255, &error));
    canvas_draw_text(&canvas, 1, 2, "L+", 2, 7);
    for (int y = 0; y < 18; y++)
        for (int x = 0; x < 30; x++) {
            int column = (x - 1) / 2, row = (y - 2) / 2;
            bool inside = x >= 1 && y >= 2 && row < FONT_HEIGHT && column < 11;
            bool ink =
                inside && column != 5 &&
                (column < 5 ? font_pixel('L', column, row) : font_pixel('+', column - 6, row));
            ck_assert_uint_eq(pixel(&canvas, x, y, 0), ink ? 7 : 255);
        }
    canvas_free(&canvas);
}
END_TEST

START_TEST(a_table_has_labels_and_grids)
{
    float images[2 * 3 * 4 * 3]; /* two colour images 3x4, all red */
    for (int i = 0; i < 72; i++)
        images[i] = i % 3 == 0 ? 1 : -1;
    static const char *const rows[] = {"npr", "sn"};
    static const char *const columns[] = {"10", "25 steps", "50"};
    const float *const grids[6] = {images, images, images, images, NULL, images};
    const GridTable table = {
        .rows = 2,
        .columns = 3,
        .row_labels = rows,
        .column_labels = columns,
        .grids = grids,
        .n = 2,
        .layout = {.height = 3, .width = 4, .channels = 3, .columns = 2, .scale = 5, .padding = 2},
    };
    Canvas canvas;
    assert_ok(image_grid_table(&canvas, &table, &error));
    int red = 0, ink = 0;
    for (int y = 0; y < canvas.height; y++)
        for (int x = 0; x < canvas.width; x++) {
            red += pixel(&canvas, x, y, 0) == 255 && pixel(&canvas, x, y, 1) == 0;
            ink += pixel(&canvas, x, y, 0) == 0;
        }
    ck_assert_int_eq(red, 5 * 2 * 12 * 25); /* five grids, nothing cut off or drawn over */
    int strokes = 0;
    for (const char *c = "nprsn1025 steps50"; *c != '\0'; c++)
        for (int i = 0; i < FONT_WIDTH * FONT_HEIGHT; i++)
            strokes += font_pixel(*c, i % FONT_WIDTH, i / FONT_WIDTH);
    ck_assert_int_eq(ink, 4 * strokes); /* all labels, at twice the size */
    canvas_free(&canvas);
}
END_TEST

/* -- Files ------------------------------------------------------------------------------------ */

static void check_png(const char *path, const Canvas *canvas)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    ck_assert(png_image_begin_read_from_file(&image, path));
    ck_assert_uint_eq(image.width, (unsigned)canvas->width);
    ck_assert_uint_eq(image.height, (unsigned)canvas->height);
    ck_assert_uint_eq(image.format, canvas->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    ck_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    ck_assert_mem_eq(pixels, canvas->pixels, PNG_IMAGE_SIZE(image));
    free(pixels);
}

/* A canvas of noise, which doesn't compress. */
static Canvas noise(int width, int height, int channels)
{
    Canvas canvas;
    assert_ok(canvas_make(&canvas, width, height, channels, 0, &error));
    uint32_t state = 1;
    for (int i = 0; i < width * height * channels; i++) {
        state = state * 1664525u + 1013904223u;
        canvas.pixels[i] = (uint8_t)(state >> 24);
    }
    return canvas;
}

START_TEST(a_png_reads_back)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        Canvas canvas = noise(37, 21, channels);
        assert_ok(canvas_write_png(&canvas, scratch_path("a.png"), &error));
        check_png(scratch_path("a.png"), &canvas);
        ck_assert_int_eq(scratch_count(), 1);
        canvas_free(&canvas);
    }
}
END_TEST

START_TEST(a_png_that_cannot_be_written)
{
    Canvas canvas = noise(100, 100, 3);
    Canvas small = noise(3, 3, 1);
    const char *path = scratch_path("a.png");
    assert_ok(canvas_write_png(&canvas, path, &error));
    size_t size;
    free(scratch_read(path, &size));
    assert_fails_as(canvas_write_png(&canvas, scratch_path("none/a.png"), &error), ERROR_RUNTIME,
                    "none/a.png: cannot be written: No such file or directory");
    assert_fails_as(canvas_write_png(&canvas, "tests", &error), ERROR_INPUT,
                    "tests: is a directory");
    assert_ok(canvas_write_png(&small, path, &error));

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t most = size - 1; most < size; most -= 5000) { /* down to below zero */
        limit.rlim_cur = most;
        setrlimit(RLIMIT_FSIZE, &limit);
        error = (Error){0};
        bool written = canvas_write_png(&canvas, path, &error);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert(!written);
        ck_assert_int_eq(error.kind, ERROR_RUNTIME);
        ck_assert_msg(strstr(error.message, "a.png: cannot be written: File too large") != NULL,
                      "%s", error.message);
        check_png(path, &small);
        ck_assert_int_eq(scratch_count(), 1);
    }
    canvas_free(&canvas);
    canvas_free(&small);
}
END_TEST

SUITE_MAIN("image", values_become_bytes, impossible_canvases_are_refused, drawing_stays_inside,
           a_grid_places_images, every_character_has_a_glyph_of_its_own,
           text_is_drawn_from_its_glyphs, a_table_has_labels_and_grids, a_png_reads_back,
           a_png_that_cannot_be_written)
