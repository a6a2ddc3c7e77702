/* Tests of how a picture becomes an image: its size, its channels, and what lies behind it. */
#include "data/picture_fit.h"

#include "tests/expect.h"
#include "tests/suite.h"

#include <math.h>

static Error error; /* of the last call */

static Picture picture_of(int width, int height, int channels, uint8_t *pixels)
{
    return (Picture){.width = width, .height = height, .channels = channels, .pixels = pixels};
}

START_TEST(pictures_of_the_right_size_are_taken_as_they_are)
{
    uint8_t pixels[16], image[48];
    for (int i = 0; i < 16; i++)
        pixels[i] = (uint8_t)(i * 15);
    const Picture picture = picture_of(4, 4, 1, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_ok(picture_fit(&picture, &rule, image, &error));
    ck_assert_mem_eq(image, pixels, 16);
    rule.channels = 3; /* grey becomes three equal channels */
    assert_ok(picture_fit(&picture, &rule, image, &error));
    for (int i = 0; i < 48; i++)
        ck_assert_uint_eq(image[i], pixels[i / 3]);
    rule.resize = RESIZE_CENTER_CROP;
    assert_ok(picture_fit(&picture, &rule, image, &error));
    ck_assert_uint_eq(image[47], pixels[15]);
}
END_TEST

START_TEST(nothing_is_scaled_or_dropped_silently)
{
    uint8_t pixels[6 * 4 * 4] = {0}, image[48];
    Picture picture = picture_of(6, 4, 1, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has 6 x 4 pixels, but data.resolution is 4 (data.resize: center_crop shrinks "
                 "larger pictures)");
    rule.resolution = 5;
    rule.resize = RESIZE_CENTER_CROP;
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has 6 x 4 pixels, expected at least 5 x 5; pictures are never enlarged");
    pixels[1] = 1;
    rule = (PictureRule){.resolution = 4, .channels = 1};
    picture = picture_of(4, 4, 3, pixels);
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has colours, but data.channels is 1");
    pixels[1] = 0; /* three equal channels are grey */
    assert_ok(picture_fit(&picture, &rule, image, &error));
}
END_TEST

START_TEST(transparent_pixels_need_a_background)
{
    uint8_t pixels[4 * 4 * 2], image[16];
    for (int i = 0; i < 16; i++) {
        pixels[2 * i] = 100;
        pixels[2 * i + 1] = 255;
    }
    const Picture picture = picture_of(4, 4, 2, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_ok(picture_fit(&picture, &rule, image, &error)); /* opaque */
    pixels[1] = 51;                                         /* a fifth */
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has transparent pixels; say by data.background what is behind them: black, grey "
                 "or white");
    static const int expected[][2] = {
        {BACKGROUND_BLACK, 20}, {BACKGROUND_GREY, 122}, {BACKGROUND_WHITE, 224}};
    for (int i = 0; i < 3; i++) {
        rule.background = (DataBackground)expected[i][0];
        assert_ok(picture_fit(&picture, &rule, image, &error));
        ck_assert_int_eq(image[0], expected[i][1]);
        ck_assert_int_eq(image[1], 100);
    }
}
END_TEST

/* The middle of the picture, and the exact mean over areas, against sums in double. */
/* The mean of channel c over output pixel (x, y), by its definition. */
static double mean_over_area(const Picture *picture, int resolution, int x, int y, int c)
{
    const int side = picture->width < picture->height ? picture->width : picture->height;
    const int left = (picture->width - side) / 2, top = (picture->height - side) / 2;
    const double s = (double)side / resolution;
    double sum = 0;
    for (int v = 0; v < side; v++)
        for (int u = 0; u < side; u++) {
            const double down = fmin((y + 1) * s, v + 1) - fmax(y * s, v);
            const double across = fmin((x + 1) * s, u + 1) - fmax(x * s, u);
            const int at = ((v + top) * picture->width + u + left) * picture->channels + c;
            if (down > 0 && across > 0)
                sum += down * across * picture->pixels[at];
        }
    return sum / (s * s);
}

/* Grey and colours, wide and high, into whole and into broken pixels. */
START_TEST(center_crop_takes_the_mean_over_areas)
{
    enum { W = 23, H = 17, MOST = 16 };
    static const int resolutions[] = {1, 5, 8, 16};
    uint8_t pixels[W * H * 3], image[MOST * MOST * 3];
    for (int i = 0; i < W * H * 3; i++)
        pixels[i] = (uint8_t)(i * i * 7 + i * 13);
    for (int kind = 0; kind < 16; kind++) {
        const int channels = kind % 2 ? 3 : 1, r = resolutions[kind / 4];
        const bool high = kind / 2 % 2;
        const Picture picture = picture_of(high ? H : W, high ? W : H, channels, pixels);
        const PictureRule rule = {
            .resolution = r, .channels = channels, .resize = RESIZE_CENTER_CROP};
        assert_ok(picture_fit(&picture, &rule, image, &error));
        for (int i = 0; i < r * r * channels; i++) {
            const int c = i % channels, x = i / channels % r, y = i / channels / r;
            const double expected = mean_over_area(&picture, r, x, y, c);
            ck_assert_msg(fabs(image[i] - expected) <= 0.5 + 1e-9, "%d for %g", image[i], expected);
        }
    }
}
END_TEST

/* The sums of a large white picture need more than 32 bits. */
START_TEST(center_crop_of_a_large_picture_overflows_nowhere)
{
    enum { S = 5000 };
    uint8_t *pixels = malloc((size_t)S * S), image[4];
    memset(pixels, 255, (size_t)S * S);
    const Picture picture = picture_of(S, S, 1, pixels);
    const PictureRule rule = {.resolution = 2, .channels = 1, .resize = RESIZE_CENTER_CROP};
    assert_ok(picture_fit(&picture, &rule, image, &error));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(image[i], 255);
    free(pixels);
}
END_TEST

SUITE_MAIN("fitting of pictures", pictures_of_the_right_size_are_taken_as_they_are,
           nothing_is_scaled_or_dropped_silently, transparent_pixels_need_a_background,
           center_crop_takes_the_mean_over_areas, center_crop_of_a_large_picture_overflows_nowhere)
