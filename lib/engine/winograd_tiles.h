/* The two-dimensional transforms of Winograd's algorithm: the one-dimensional ones, first along the
 * columns and then along the rows.
 *
 * Included by winograd_code.h, which defines LANES.
 */
#include "engine/winograd_points.h"

/* Vectors of channels of the size x size pixels of a tile: where they are all inside of the image, the
 * distances between neighbours; where they are not, pointers to them, and to zeros for those that do
 * not exist. */
typedef struct Pixels {
    const float *first;
    ptrdiff_t next_row, next_column;
    bool inside;
    const float *at[WINOGRAD_POINTS];
} Pixels;

INLINED void point_at_pixels(Pixels *pixels, const Tiles *tiles, int top, int left, int size)
{
    for (int i = 0; i < size; i++) {
        const bool has_row = top + i >= 0 && top + i < tiles->height;
        const float *row = pixels->first + i * pixels->next_row;
        for (int j = 0; j < size; j++) {
            const bool exists = has_row && left + j >= 0 && left + j < tiles->width;
            pixels->at[i * size + j] = exists ? row + j * pixels->next_column : winograd_zeros;
        }
    }
}

/* Those of a tile that begins `before` pixels above and left of its outputs. */
INLINED void find_pixels(Pixels *pixels, const Tiles *tiles, int tile, int size, int before,
                         const float *x, int channels)
{
    const int image = tile / tiles->per_image, rest = tile % tiles->per_image;
    const int top = rest / tiles->across * WINOGRAD_TILE - before;
    const int left = rest % tiles->across * WINOGRAD_TILE - before;
    pixels->next_row = (ptrdiff_t)tiles->width * channels;
    pixels->next_column = channels;
    pixels->first =
        x + (image * tiles->height + top - tiles->first_row) * pixels->next_row + left * channels;
    pixels->inside =
        top >= 0 && left >= 0 && top + size <= tiles->height && left + size <= tiles->width;
    if (!pixels->inside || channels % LANES != 0)
        point_at_pixels(pixels, tiles, top, left, size);
}

/* The channels from `first` to the last, fewer than a vector, and zeros: to `rest`, at which the
 * pixels point from here. */
INLINED void fill_vector(int count, int first, int channels, Pixels *pixels, float (*rest)[LANES])
{
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < LANES; c++)
            rest[i][c] = first + c < channels ? pixels->at[i][first + c] : 0.0f;
        pixels->at[i] = rest[i];
    }
}

/* Column j of size x size pixels. Pointers are moved step by step: for all pixels together there are
 * not enough registers. */
INLINED void load_column(bool inside, const Pixels *pixels, int size, int j, const float *column,
                         int channel, Vec *x)
{
#pragma GCC unroll 6
    for (int i = 0; i < size; i++, column += pixels->next_row)
        x[i] = load_vec(inside ? column : pixels->at[i * size + j] + channel);
}

INLINED float *store_points(const Vec y[WINOGRAD_REACH], float *to, ptrdiff_t next_point)
{
#pragma GCC unroll 6
    for (int j = 0; j < WINOGRAD_REACH; j++, to += next_point)
        store_vec(to, y[j]);
    return to;
}

/* The rows of points of a part. Returns the place of the next part. */
INLINED float *input_part(int part, bool inside, const Pixels *pixels, int channel, float *to,
                          ptrdiff_t next_point)
{
    enum { N = WINOGRAD_REACH };
    Vec half[MOST_IN_PART][N], x[N], y[N];
    const float *column = pixels->first + channel;
#pragma GCC unroll 6
    for (int j = 0; j < N; j++, column += pixels->next_column) {
        load_column(inside, pixels, N, j, column, channel, x);
        pixels_to_part(part, y, x);
#pragma GCC unroll 2
        for (int k = 0; k < part_size(part); k++)
            half[k][j] = y[k];
    }
#pragma GCC unroll 2
    for (int k = 0; k < part_size(part); k++) {
        pixels_to_points(y, half[k]);
        to = store_points(y, to, next_point);
    }
    return to;
}

/* B' x B: a vector of channels of 6 x 6 pixels to the points. A part at a time has room in the
 * registers. */
INLINED void transform_input(bool inside, const Pixels *pixels, int channel, float *to,
                             ptrdiff_t next_point)
{
    to = input_part(0, inside, pixels, channel, to, next_point);
    to = input_part(1, inside, pixels, channel, to, next_point);
    to = input_part(2, inside, pixels, channel, to, next_point);
    input_part(3, inside, pixels, channel, to, next_point);
}

INLINED float *taps_part(int part, int size, bool divided, bool inside, const Pixels *taps,
                         int channel, float *to, ptrdiff_t next_point)
{
    enum { N = WINOGRAD_REACH, MOST = WINOGRAD_TILE };
    Vec half[MOST_IN_PART][MOST], x[MOST], y[N];
    const float *column = taps->first + channel;
#pragma GCC unroll 4
    for (int j = 0; j < size; j++, column += taps->next_column) {
        load_column(inside, taps, size, j, column, channel, x);
        taps_to_part(size, divided, part, y, x);
#pragma GCC unroll 2
        for (int k = 0; k < part_size(part); k++)
            half[k][j] = y[k];
    }
#pragma GCC unroll 2
    for (int k = 0; k < part_size(part); k++) {
        taps_to_points(size, divided, y, half[k]);
        to = store_points(y, to, next_point);
    }
    return to;
}

/* G x G': a vector of channels of size x size taps to the points. */
INLINED void transform_taps(int size, bool divided, bool inside, const Pixels *taps, int channel,
                            float *to, ptrdiff_t next_point)
{
    to = taps_part(0, size, divided, inside, taps, channel, to, next_point);
    to = taps_part(1, size, divided, inside, taps, channel, to, next_point);
    to = taps_part(2, size, divided, inside, taps, channel, to, next_point);
    taps_part(3, size, divided, inside, taps, channel, to, next_point);
}

/* A' x: a vector of channels of the points to rows 0 and 2 (part 0), or 1 and 3, of A' x A. What
 * remains to be done is points_to_outputs. */
INLINED void output_rows(int size, bool divided, int part, const float *points,
                         ptrdiff_t next_point, Vec (*rows)[WINOGRAD_REACH])
{
    enum { N = WINOGRAD_REACH };
    Vec x[N], y[MOST_IN_PART];
#pragma GCC unroll 6
    for (int j = 0; j < N; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            x[i] = load_vec(points + (i * N + j) * next_point);
        points_to_part(size, divided, part, y, x);
        rows[0][j] = y[0];
        if (part + 2 < size)
            rows[1][j] = y[1];
    }
}
