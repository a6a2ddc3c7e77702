/* The two-dimensional transforms of Winograd's algorithm: the one-dimensional ones, first along the
 * columns and then along the rows.
 *
 * Included by winograd_code.h, which defines LANES.
 */
#include "engine/winograd_points.h"

/* Pointers to the size x size pixels of a tile that begins `before` pixels above and left of its
 * outputs; to zeros for the pixels outside of the image. */
INLINED void find_pixels(const Tiles *tiles, int tile, int size, int before, const float *x,
                         int channels, const float **pixels)
{
    const int image = tile / tiles->per_image, rest = tile % tiles->per_image;
    const int top = rest / tiles->across * WINOGRAD_TILE - before;
    const int left = rest % tiles->across * WINOGRAD_TILE - before;
    for (int i = 0; i < size; i++) {
        const int row = top + i;
        const bool has_row = row >= 0 && row < tiles->height;
        const float *first =
            x + ((ptrdiff_t)(image * tiles->height + row) * tiles->width + left) * channels;
        for (int j = 0; j < size; j++) {
            const bool inside = has_row && left + j >= 0 && left + j < tiles->width;
            pixels[i * size + j] = inside ? first + (ptrdiff_t)j * channels : winograd_zeros;
        }
    }
}

/* The channels from `first` to the last, fewer than a vector, and zeros: to `rest`, at which the
 * pixels point from here. */
INLINED void fill_vector(int count, int first, int channels, const float **pixels,
                         float (*rest)[LANES])
{
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < LANES; c++)
            rest[i][c] = first + c < channels ? pixels[i][first + c] : 0.0f;
        pixels[i] = rest[i];
    }
}

/* B' x B: a vector of channels of 6 x 6 pixels to the points. */
INLINED void transform_input(const float *const *pixels, int channel, float *to,
                             ptrdiff_t next_point)
{
    enum { N = WINOGRAD_REACH };
    Vec half[N][N], x[N], y[N];
#pragma GCC unroll 6
    for (int j = 0; j < N; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            x[i] = load_vec(pixels[i * N + j] + channel);
        pixels_to_points(y, x);
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            half[i][j] = y[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < N; i++) {
        pixels_to_points(y, half[i]);
#pragma GCC unroll 6
        for (int j = 0; j < N; j++)
            store_vec(to + (i * N + j) * next_point, y[j]);
    }
}

/* G x G': a vector of channels of size x size taps to the points. */
INLINED void transform_taps(int size, const float *const *taps, int channel, float *to,
                            ptrdiff_t next_point)
{
    enum { N = WINOGRAD_REACH, MOST = WINOGRAD_TILE };
    Vec half[N][MOST], x[MOST], y[N];
#pragma GCC unroll 4
    for (int j = 0; j < size; j++) {
#pragma GCC unroll 4
        for (int i = 0; i < size; i++)
            x[i] = load_vec(taps[i * size + j] + channel);
        taps_to_points(size, y, x);
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            half[i][j] = y[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < N; i++) {
        taps_to_points(size, y, half[i]);
#pragma GCC unroll 6
        for (int j = 0; j < N; j++)
            store_vec(to + (i * N + j) * next_point, y[j]);
    }
}

/* A' x A: a vector of channels of the points to size x size outputs. */
INLINED void transform_output(int size, const float *points, ptrdiff_t next_point, Vec *outputs)
{
    enum { N = WINOGRAD_REACH, MOST = WINOGRAD_TILE };
    Vec half[MOST][N], x[N], y[MOST];
#pragma GCC unroll 6
    for (int j = 0; j < N; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < N; i++)
            x[i] = load_vec(points + (i * N + j) * next_point);
        points_to_outputs(size, y, x);
#pragma GCC unroll 4
        for (int i = 0; i < size; i++)
            half[i][j] = y[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < size; i++)
        points_to_outputs(size, outputs + i * size, half[i]);
}
