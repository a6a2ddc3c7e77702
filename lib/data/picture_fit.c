/* Three steps, each on whole pixels: alpha and channels, then the square in the middle, then the mean
 * over areas.
 *
 * The mean is exact. On one axis output pixel i of r covers the interval [i s, (i + 1) s) and input
 * pixel j of s the interval [j r, (j + 1) r), so that weights are whole numbers with the sum s. Rows
 * are added first, in a loop that the compiler makes vectors of, then columns. The result is rounded
 * once.
 */
#include "data/picture_fit.h"

#include "base/memory.h"

#include <string.h>

/* -- Channels ---------------------------------------------------------------------------------- */

static int opaque(int value, int alpha, int behind)
{
    return (value * alpha + behind * (255 - alpha) + 127) / 255;
}

/* pixel [channels] := a pixel of the picture. False with an error where it can't be one. */
static bool convert(const Picture *picture, const PictureRule *rule, const uint8_t *from,
                    uint8_t *pixel, Error *error)
{
    static const int backgrounds[] = {
        [BACKGROUND_BLACK] = 0, [BACKGROUND_GREY] = 128, [BACKGROUND_WHITE] = 255};
    const bool has_alpha = picture->channels % 2 == 0;
    const int colours = picture->channels - has_alpha;
    const int alpha = has_alpha ? from[colours] : 255;
    int seen[3] = {0};
    if (alpha < 255 && rule->background == BACKGROUND_REFUSE)
        return error_input(error, "has transparent pixels; say by data.background what is behind "
                                  "them: black, grey or white");
    for (int c = 0; c < 3; c++) {
        seen[c] = from[colours == 3 ? c : 0];
        if (alpha < 255)
            seen[c] = opaque(seen[c], alpha, backgrounds[rule->background]);
    }
    if (rule->channels == 1 && (seen[0] != seen[1] || seen[0] != seen[2]))
        return error_input(error, "has colours, but data.channels is 1");
    for (int c = 0; c < rule->channels; c++)
        pixel[c] = (uint8_t)seen[c];
    return true;
}

/* square [side, side, channels] := the middle of the picture. */
static bool take_square(const Picture *picture, const PictureRule *rule, int side, uint8_t *square,
                        Error *error)
{
    const int left = (picture->width - side) / 2, top = (picture->height - side) / 2;
    const size_t from_pixel = (size_t)picture->channels, to_pixel = (size_t)rule->channels;
    const bool as_it_is = picture->channels == rule->channels; /* grey or RGB, without alpha */
    for (int y = 0; y < side; y++) {
        const size_t at = (size_t)(top + y) * (size_t)picture->width + (size_t)left;
        const uint8_t *from = picture->pixels + at * from_pixel;
        uint8_t *to = square + (size_t)y * (size_t)side * to_pixel;
        if (as_it_is)
            memcpy(to, from, (size_t)side * to_pixel);
        for (int x = 0; !as_it_is && x < side; x++)
            if (!convert(picture, rule, from + (size_t)x * from_pixel, to + (size_t)x * to_pixel,
                         error))
                return false;
    }
    return true;
}

/* -- Areas ------------------------------------------------------------------------------------- */

/* How much of input pixel j lies in output pixel i. */
static int64_t overlap(int64_t i, int64_t j, int64_t side, int64_t resolution)
{
    const int64_t first = i * side > j * resolution ? i * side : j * resolution;
    const int64_t end =
        (i + 1) * side < (j + 1) * resolution ? (i + 1) * side : (j + 1) * resolution;
    return end - first;
}

/* sums [n] := the rows of output row y, each times its weight. The weights have the sum `side`, so that
 * sums are below 2^24. */
static void add_rows(const uint8_t *square, int side, int resolution, int y, size_t n,
                     uint32_t *restrict sums)
{
    const int64_t s = side, r = resolution;
    memset(sums, 0, n * sizeof *sums);
    for (int64_t v = y * s / r; v * r < (y + 1) * s; v++) {
        const uint32_t weight = (uint32_t)overlap(y, v, s, r);
        const uint8_t *restrict row = square + (size_t)v * n;
        for (size_t i = 0; i < n; i++)
            sums[i] += weight * row[i];
    }
}

/* pixel [channels] := the mean over output column x of the sums of rows. */
static void add_columns(const uint32_t *sums, int side, const PictureRule *rule, int x,
                        uint8_t *pixel)
{
    const int64_t s = side, r = rule->resolution, area = s * s;
    int64_t totals[3] = {0};
    for (int64_t u = x * s / r; u * r < (x + 1) * s; u++) {
        const int64_t weight = overlap(x, u, s, r);
        for (int c = 0; c < rule->channels; c++)
            totals[c] += weight * sums[u * rule->channels + c];
    }
    for (int c = 0; c < rule->channels; c++)
        pixel[c] = (uint8_t)((2 * totals[c] + area) / (2 * area));
}

/* image [resolution, resolution, channels] := the square, whose sides are longer. */
static bool shrink(const uint8_t *square, int side, const PictureRule *rule, uint8_t *image,
                   Error *error)
{
    const size_t row = (size_t)side * (size_t)rule->channels;
    uint32_t *sums = memory_large(row, sizeof *sums, "a row of a picture", error);
    const bool ok = sums != NULL;
    for (int y = 0; ok && y < rule->resolution; y++) {
        add_rows(square, side, rule->resolution, y, row, sums);
        for (int x = 0; x < rule->resolution; x++, image += rule->channels)
            add_columns(sums, side, rule, x, image);
    }
    memory_free(sums);
    return ok;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool check_size(const Picture *picture, const PictureRule *rule, int side, Error *error)
{
    const int r = rule->resolution;
    if (rule->resize == RESIZE_NONE && (picture->width != r || picture->height != r))
        return error_input(error,
                           "has %d x %d pixels, but data.resolution is %d (data.resize: "
                           "center_crop shrinks larger pictures)",
                           picture->width, picture->height, r);
    if (side < r)
        return error_input(error,
                           "has %d x %d pixels, expected at least %d x %d; pictures are never "
                           "enlarged",
                           picture->width, picture->height, r, r);
    return true;
}

bool picture_fit(const Picture *picture, const PictureRule *rule, uint8_t *image, Error *error)
{
    const int side = picture->width < picture->height ? picture->width : picture->height;
    if (!check_size(picture, rule, side, error))
        return false;
    if (side == rule->resolution)
        return take_square(picture, rule, side, image, error);
    uint8_t *square = memory_large((size_t)side * (size_t)side, (size_t)rule->channels,
                                   "pixels of a picture", error);
    const bool ok = square && take_square(picture, rule, side, square, error) &&
                    shrink(square, side, rule, image, error);
    memory_free(square);
    return ok;
}
