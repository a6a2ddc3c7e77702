/* The kernels of Winograd's convolutions, once for each instruction set.
 *
 * A tile is 4 x 4 pixels of an output. It depends on 6 x 6 pixels of the input. Winograd's algorithm
 * F(4 x 4, 3 x 3) brings input and weights to 36 points, multiplies there point by point, and brings
 * the products back:
 *
 *     V = B' x B                                     6 x 6 pixels of an input channel -> 36 points
 *     U = G w G'                                     3 x 3 weights                    -> 36 points
 *     y = A' M A,  M[p] = sum over channels V[p] U[p]    36 points -> 4 x 4 pixels of an output channel
 *
 * So 36 multiplications per tile, input and output channel take the place of 144. At each point the
 * sum over channels is a matrix product of tiles x inputs and inputs x outputs. The gradient of the
 * weights is such an algorithm too, with 4 x 4 taps and 3 x 3 outputs:
 *
 *     dw = A3' (sum over tiles V Z) A3,  Z = G4 dy G4'       4 x 4 pixels of dy -> 36 points
 *
 * Kernels work on vectors of `lanes` channels, and start no threads. What they share with each other
 * lies in memory as follows; channels are filled up with zeros, to whole vectors in V and to whole
 * columns elsewhere:
 *
 *     V of a group of `rows` tiles    [in / lanes][36][rows][lanes]
 *     U of a column of outputs        [36][in + a gap][columns]
 *     factors of the gradient         [tiles / 8][channels / columns][36 + a gap][8][columns]
 *     sums of the gradient            [36][columns of outputs][columns of inputs]
 */
#pragma once

#include "engine/product.h"

#include <stddef.h>
#include <string.h>

enum {
    WINOGRAD_TILE = 4,
    WINOGRAD_REACH = 6,
    WINOGRAD_POINTS = 36,
    /* Tiles whose factors of the gradient lie together. */
    WINOGRAD_GROUP = 8,
    /* Channels that an image may have: kernels read zeros in place of the pixels outside. */
    WINOGRAD_MOST_CHANNELS = 8192,
};

/* Images [n, height, width, channels], cut into tiles: image by image, row by row. Tiles at the
 * right and at the lower edge may reach over it. */
typedef struct Tiles {
    int height, width;
    /* Tiles in a row, in an image, and in all. */
    int across, per_image, count;
    /* The row, counted over all images, with which the memory of an input begins. */
    int first_row;
} Tiles;

/* The weights of one convolution as the forward pass sees them, and backward data, which is a
 * forward pass with inputs and outputs exchanged and the kernel turned by 180 degrees. */
typedef struct WinogradWeights {
    const float *at;
    int in, out;
    /* Floats from one input to the next, and from one output to the next. */
    ptrdiff_t next_in, next_out;
    bool turned;
} WinogradWeights;

/* The output of a forward pass [n, height, width, channels]; bias [channels] and added [like the
 * output] may be NULL. */
typedef struct WinogradOutput {
    float *at;
    int channels;
    const float *bias, *added;
} WinogradOutput;

/* Factors of the gradient, of a column of outputs (z) and one of inputs (v), at one point; floats from
 * a group of tiles to the next. */
typedef struct WinogradFactors {
    const float *z, *v;
    ptrdiff_t next_z, next_v;
} WinogradFactors;

typedef struct WinogradKernels {
    const char *name;
    /* Floats in a vector; tiles in a group; channels in a column. */
    int lanes, rows, columns;

    /* V of the group of tiles first .. last - 1, at most `rows`. */
    void (*input)(const Tiles *tiles, const float *x, int channels, int first, int last, float *v);
    /* U of the inputs first .. last - 1 and of the column of outputs from `out`. Zeros where there
     * are none. `next_point`: floats from point to point. */
    void (*weights)(const WinogradWeights *weights, int first, int last, int out,
                    ptrdiff_t next_point, float *u);
    /* The outputs of tiles first .. last - 1, in the column from `channel`. `v` begins with the
     * group of the first tile. `products` has room for [last - first, rounded up to whole
     * groups][36][columns]. */
    void (*output)(const Tiles *tiles, int in, const float *v, const float *u, ptrdiff_t next_point,
                   float *products, const WinogradOutput *y, int first, int last, int channel);

    /* The factors of one tile, at its place `to`: V of an input, Z of a gradient. `next_column`:
     * floats from a column of channels to the next. */
    void (*input_factor)(const Tiles *tiles, const float *x, int channels, int tile,
                         ptrdiff_t next_column, float *to);
    void (*gradient_factor)(const Tiles *tiles, const float *dy, int channels, int tile,
                            ptrdiff_t next_column, float *to);
    /* sums [columns][columns] = z' v, or += if not `fresh`, over `tiles` tiles. */
    void (*multiply_factors)(int tiles, const WinogradFactors *factors, float *sums, bool fresh);
    /* The gradient of the weights [out, in, 3, 3] for a column of outputs and one of inputs. */
    void (*gradient)(const float *sums, float *dw, int in, int out, int first_in, int first_out);
} WinogradKernels;

/* [WINOGRAD_MOST_CHANNELS] */
extern const float *const winograd_zeros;

/* Plain C, four floats at a time: SSE or NEON, where the compiler finds them. */
extern const WinogradKernels winograd_baseline;
#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)
extern const WinogradKernels winograd_avx2, winograd_avx512;
#endif

/* One pass of one convolution. */
typedef struct Winograd {
    const WinogradKernels *kernels;
    ConvShape shape;
    ConvPass pass;
    int threads;
} Winograd;
