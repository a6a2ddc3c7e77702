/* Tests of charts: the places of the ticks, and the content of the files. */
#include "base/memory.h"
#include "picture/plot.h"

#include "tests/suite.h"

#include <math.h>
#include <png.h>

static void check_ticks(double low, double high, bool logarithmic, int count,
                        const double *expected)
{
    double ticks[PLOT_MAX_TICKS];
    ck_assert_int_eq(plot_ticks(low, high, logarithmic, ticks), count);
    for (int i = 0; i < count; i++)
        ck_assert_double_eq_tol(ticks[i], expected[i], 1e-9 * fabs(expected[i]) + 1e-15);
}

START_TEST(ticks_are_round)
{
    check_ticks(0, 10, false, 6, (double[]){0, 2, 4, 6, 8, 10});
    check_ticks(-0.3, 0.31, false, 7, (double[]){-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3});
    check_ticks(3.9, 6.1, false, 5, (double[]){4, 4.5, 5, 5.5, 6});
    check_ticks(9, 110, true, 4, (double[]){10, 20, 50, 100});
    check_ticks(0.02, 30000, true, 6, (double[]){0.1, 1, 10, 100, 1000, 10000});
    check_ticks(9.5, 26, true, 4, (double[]){10, 15, 20, 25}); /* too short for 1, 2, 5 */
}
END_TEST

START_TEST(no_range_has_no_ticks)
{
    check_ticks(1, 1, false, 0, NULL);
    check_ticks(2, 1, false, 0, NULL);
    check_ticks(NAN, 1, false, 0, NULL);
    check_ticks(0, INFINITY, false, 0, NULL);
    check_ticks(0, 10, true, 0, NULL);
    check_ticks(-1, 10, true, 0, NULL);
}
END_TEST

START_TEST(every_range_has_a_few_ticks)
{
    double ticks[PLOT_MAX_TICKS];
    for (int logarithmic = 0; logarithmic < 2; logarithmic++)
        for (double low = 1e-6; low < 1e6; low *= 3.7)
            for (double ratio = 1.05; ratio < 1e12; ratio *= 1.7) {
                const int count = plot_ticks(low, low * ratio, logarithmic, ticks);
                ck_assert_msg(count >= 3 && count <= 12, "%g .. %g: %d ticks", low, low * ratio,
                              count);
                const double slack = 1e-6 * low * ratio;
                ck_assert(ticks[0] >= low - slack && ticks[count - 1] <= low * ratio + slack);
                for (int i = 1; i < count; i++)
                    ck_assert(ticks[i] > ticks[i - 1]);
            }
}
END_TEST

static const double xs[] = {10, 25, 50}, ys[] = {5, 3, NAN}, errors[] = {0.5, NAN, 0.5};
static const double zeros[] = {0, -1, 4}, one[] = {4};

static Plot example(PlotSeries *series, bool logarithmic)
{
    series[0] =
        (PlotSeries){.name = "npr", .look = 5, .count = 3, .x = xs, .y = ys, .error = errors};
    series[1] = (PlotSeries){.name = "sn", .look = 4, .count = 3, .x = xs, .y = zeros};
    series[2] = (PlotSeries){.name = "real", .level = true, .count = 1, .y = one};
    return (Plot){.x_label = "steps K",
                  .y_label = "bits/dim",
                  .log_x = logarithmic,
                  .log_y = logarithmic,
                  .series = series,
                  .count = 3};
}

/* Pixels of the PNG, RGB; the caller frees them. */
static unsigned char *decode(const PlotBytes *bytes)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    ck_assert(png_image_begin_read_from_memory(&image, bytes->data, bytes->size));
    ck_assert_uint_eq(image.width, PLOT_WIDTH * PLOT_PNG_SCALE);
    ck_assert_uint_eq(image.height, PLOT_HEIGHT * PLOT_PNG_SCALE);
    image.format = PNG_FORMAT_RGB;
    unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
    ck_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    return pixels;
}

/* How many pixels are nearly of the colour. */
static int count_pixels(const unsigned char *pixels, int red, int green, int blue)
{
    int count = 0;
    for (int i = 0; i < PLOT_WIDTH * PLOT_PNG_SCALE * PLOT_HEIGHT * PLOT_PNG_SCALE; i++) {
        const unsigned char *p = pixels + 3 * i;
        count += abs(p[0] - red) < 4 && abs(p[1] - green) < 4 && abs(p[2] - blue) < 4;
    }
    return count;
}

START_TEST(a_png_shows_lines_on_its_paper)
{
    PlotSeries series[3];
    for (int logarithmic = 0; logarithmic < 2; logarithmic++) {
        const Plot plot = example(series, logarithmic);
        PlotBytes light, dark;
        Error error = {0};
        must(plot_render(&plot, PLOT_PNG, false, &light, &error), &error);
        must(plot_render(&plot, PLOT_PNG, true, &dark, &error), &error);
        unsigned char *pixels = decode(&light);
        ck_assert_int_eq(pixels[0], 255);
        ck_assert_int_gt(count_pixels(pixels, 214, 94, 0),
                         200); /* npr, and its mark in the legend */
        ck_assert_int_gt(count_pixels(pixels, 0, 115, 178), 100); /* sn */
        free(pixels);
        pixels = decode(&dark);
        ck_assert_int_lt(pixels[0], 40);
        ck_assert_int_gt(count_pixels(pixels, 255, 153, 64), 200);
        free(pixels);
        memory_free(light.data);
        memory_free(dark.data);
    }
}
END_TEST

/* No two looks give the same chart. Looks after the last colour are dotted. */
START_TEST(looks_can_be_told_apart)
{
    PlotBytes drawn[PLOT_LOOKS];
    Error error = {0};
    for (int look = 0; look < PLOT_LOOKS; look++) {
        PlotSeries series = {.name = "", .look = look, .count = 3, .x = xs, .y = ys};
        const Plot plot = {.x_label = "", .y_label = "", .series = &series, .count = 1};
        must(plot_render(&plot, PLOT_SVG, false, &drawn[look], &error), &error);
        for (int other = 0; other < look; other++)
            ck_assert(drawn[other].size != drawn[look].size ||
                      memcmp(drawn[other].data, drawn[look].data, drawn[look].size) != 0);
        char *text = memory_format("%.*s", (int)drawn[look].size, (const char *)drawn[look].data);
        ck_assert_msg((strstr(text, "stroke-dasharray") != NULL) == (look >= PLOT_COLOURS),
                      "look %d: %s", look, text);
        memory_free(text);
    }
    for (int look = 0; look < PLOT_LOOKS; look++)
        memory_free(drawn[look].data);
}
END_TEST

START_TEST(an_svg_is_whole)
{
    PlotSeries series[3];
    const Plot plot = example(series, false);
    PlotBytes bytes;
    Error error = {0};
    must(plot_render(&plot, PLOT_SVG, false, &bytes, &error), &error);
    ck_assert_mem_eq(bytes.data, "<?xml", 5);
    ck_assert_mem_eq(bytes.data + bytes.size - 24, "<!-- varhead -->\n</svg>\n", 24);
    memory_free(bytes.data);
}
END_TEST

START_TEST(charts_of_nothing_are_drawn)
{
    PlotBytes bytes;
    Error error = {0};
    const double nothing[] = {NAN};
    const PlotSeries series = {.name = "none", .count = 1, .x = nothing, .y = nothing};
    for (int count = 0; count < 2; count++) {
        const Plot plot = {
            .x_label = "", .y_label = "", .log_y = true, .series = &series, .count = count};
        must(plot_render(&plot, PLOT_PNG, false, &bytes, &error), &error);
        free(decode(&bytes));
        memory_free(bytes.data);
    }
}
END_TEST

SUITE_MAIN("plot", ticks_are_round, no_range_has_no_ticks, every_range_has_a_few_ticks,
           a_png_shows_lines_on_its_paper, looks_can_be_told_apart, an_svg_is_whole,
           charts_of_nothing_are_drawn)
