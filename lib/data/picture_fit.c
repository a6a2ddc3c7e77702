/* Three steps, each on whole pixels: alpha and channels, then the square in the middle, then the mean
 * over areas.
 *
 * The mean is exact. On one axis output pixel i of r covers the interval [i s, (i + 1) s) and input
 * pixel j of s the interval [j r, (j + 1) r), so that lengths are whole numbers. Rows are added first,
 * in a loop that the compiler makes vectors of, then columns. The result is rounded once.
 */
#include "data/picture_fit.h"

#include "base/dispatch.h"
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
        return error_input(error, "has colours, but data.channels is 1; with data.channels 3 grey "
                                  "pictures become coloured ones");
    for (int c = 0; c < rule->channels; c++)
        pixel[c] = (uint8_t)seen[c];
    return true;
}

/* Whether the picture's pixels are those of an image as they are: grey or RGB, without alpha. */
static bool is_like_an_image(const Picture *picture, const PictureRule *rule)
{
    return picture->channels == rule->channels;
}

/* The first pixel of row y of the square in the middle of the picture. */
static const uint8_t *square_row(const Picture *picture, int side, int y)
{
    const int left = (picture->width - side) / 2, top = (picture->height - side) / 2;
    const size_t at = (size_t)(top + y) * (size_t)picture->width + (size_t)left;
    return picture->pixels + at * (size_t)picture->channels;
}

/* square [side, side, channels] := the middle of the picture. */
static bool take_square(const Picture *picture, const PictureRule *rule, int side, uint8_t *square,
                        Error *error)
{
    const size_t from_pixel = (size_t)picture->channels, to_pixel = (size_t)rule->channels;
    const bool as_it_is = is_like_an_image(picture, rule);
    for (int y = 0; y < side; y++) {
        const uint8_t *from = square_row(picture, side, y);
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

/* What one output pixel takes of an axis: input pixels [first, end), less the part `before` of the
 * first and the part `after` of the last. A whole input pixel is `resolution` long. */
typedef struct Span {
    int first, end;
    uint32_t before, after;
} Span;

/* spans [resolution] := what each output pixel takes of an axis of `side` input pixels. */
static void make_spans(int side, int resolution, Span *spans)
{
    const int64_t s = side, r = resolution;
    for (int64_t i = 0; i < r; i++) {
        const int64_t first = i * s / r, end = ((i + 1) * s + r - 1) / r;
        spans[i] = (Span){.first = (int)first,
                          .end = (int)end,
                          .before = (uint32_t)(i * s - first * r),
                          .after = (uint32_t)(end * r - (i + 1) * s)};
    }
}

/* sums [n] := the rows of a span, each times the length that the span has of it; a row is `stride` bytes
 * after the one before. The lengths have the sum `side`, so that sums are below 2^24. */
VECTORISED static void add_pixel_rows(const uint8_t *square, size_t stride, size_t n,
                                      const Span *span, uint32_t resolution,
                                      uint32_t *restrict sums)
{
    const uint8_t *first = square + (size_t)span->first * stride;
    const uint8_t *last = square + (size_t)(span->end - 1) * stride;
    memset(sums, 0, n * sizeof *sums);
    for (const uint8_t *row = first; row <= last; row += stride)
        for (size_t i = 0; i < n; i++)
            sums[i] += row[i];
    for (size_t i = 0; i < n; i++)
        sums[i] = resolution * sums[i] - span->before * first[i] - span->after * last[i];
}

/* totals [resolution, channels] := the sums of each span of columns, likewise; below 2^42. */
static void add_columns(const uint32_t *sums, int channels, const Span *spans, int resolution,
                        double *restrict totals)
{
    for (int x = 0; x < resolution; x++) {
        const Span *span = &spans[x];
        const uint32_t *first = sums + span->first * channels;
        const uint32_t *last = sums + (span->end - 1) * channels;
        for (int c = 0; c < channels; c++) {
            int64_t total = 0;
            for (const uint32_t *column = first; column <= last; column += channels)
                total += column[c];
            total = resolution * total - (int64_t)span->before * first[c] -
                    (int64_t)span->after * last[c];
            *totals++ = (double)total;
        }
    }
}

/* means [n] := totals / area, rounded. Both terms of the quotient are whole numbers below 2^43, and it
 * is below 257: a quotient that is not a whole number is never rounded to the next one. */
VECTORISED static void round_pixel_means(const double *totals, size_t n, double area,
                                         uint8_t *restrict means)
{
    for (size_t i = 0; i < n; i++)
        means[i] = (uint8_t)(int32_t)((2 * totals[i] + area) / (2 * area));
}

/* image [resolution, resolution, channels] := the square, whose sides are longer. */
static bool shrink(const uint8_t *square, size_t stride, int side, const PictureRule *rule,
                   uint8_t *image, Error *error)
{
    const int r = rule->resolution, channels = rule->channels;
    const size_t row = (size_t)side * (size_t)channels, narrow = (size_t)(r * channels);
    const double area = (double)side * side;
    Span *spans = memory_small((size_t)r, sizeof *spans);
    double *totals = memory_small(narrow, sizeof *totals);
    uint32_t *sums = memory_large(row, sizeof *sums, "a row of a picture", error);
    const bool ok = sums != NULL;
    make_spans(side, r, spans);
    for (int y = 0; ok && y < r; y++) {
        add_pixel_rows(square, stride, row, &spans[y], (uint32_t)r, sums);
        add_columns(sums, channels, spans, r, totals);
        round_pixel_means(totals, narrow, area, image + (size_t)y * narrow);
    }
    memory_free(sums);
    memory_free(totals);
    memory_free(spans);
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

/* shrink, for pixels that have to become others first. */
static bool convert_and_shrink(const Picture *picture, const PictureRule *rule, int side,
                               uint8_t *image, Error *error)
{
    const size_t row = (size_t)side * (size_t)rule->channels;
    uint8_t *square = memory_large((size_t)side, row, "pixels of a picture", error);
    const bool ok = square && take_square(picture, rule, side, square, error) &&
                    shrink(square, row, side, rule, image, error);
    memory_free(square);
    return ok;
}

bool picture_fit(const Picture *picture, const PictureRule *rule, uint8_t *image, Error *error)
{
    const int side = picture->width < picture->height ? picture->width : picture->height;
    if (!check_size(picture, rule, side, error))
        return false;
    if (side == rule->resolution)
        return take_square(picture, rule, side, image, error);
    if (!is_like_an_image(picture, rule))
        return convert_and_shrink(picture, rule, side, image, error);
    return shrink(square_row(picture, side, 0), (size_t)picture->width * (size_t)picture->channels,
                  side, rule, image, error);
}
