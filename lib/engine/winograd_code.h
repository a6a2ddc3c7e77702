/* The kernels of winograd_kernels.h in C, for one instruction set. The including file defines
 *
 *     LANES      floats in a vector
 *     THIRD      a third of the rows of a matrix product's block of sums: its 3 THIRD x 2 vectors,
 *                two vectors of the right factor and one number of the left have registers
 *     KERNELS    the name of the table
 *
 * and says for which instruction set the compiler is to translate what follows.
 */
#include "engine/winograd_tiles.h"

enum {
    ROWS = 3 * THIRD,
    COLUMNS = 2 * LANES,
    POINTS = WINOGRAD_POINTS,
    /* Floats of V from one vector of channels to the next. */
    NEXT_VECTOR = POINTS * ROWS * LANES,
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* -- Forward ---------------------------------------------------------------------------------- */

static void input(const Tiles *tiles, const float *x, int channels, int first, int last, float *v)
{
    for (int tile = first; tile < last; tile++, v += LANES) {
        Pixels pixels;
        float rest[POINTS][LANES], *to = v;
        int c = 0;
        find_pixels(&pixels, tiles, tile, WINOGRAD_REACH, 1, x, channels);
        if (pixels.inside)
            for (; c + LANES <= channels; c += LANES, to += NEXT_VECTOR)
                transform_input(true, &pixels, c, to, ROWS * LANES);
        for (; c + LANES <= channels; c += LANES, to += NEXT_VECTOR)
            transform_input(false, &pixels, c, to, ROWS * LANES);
        if (c < channels) {
            fill_vector(POINTS, c, channels, &pixels, rest);
            transform_input(false, &pixels, 0, to, ROWS * LANES);
        }
    }
}

/* Inputs whose taps are read at a time. */
enum { SOME = 8 };

/* to[k][r] = from[r][k]: four numbers of each of four rows, which lie `next` floats apart. */
INLINED void transpose(const float *from, ptrdiff_t next, Quad to[4])
{
    const Quad *rows[] = {(const Quad *)from, (const Quad *)(from + next),
                          (const Quad *)(from + 2 * next), (const Quad *)(from + 3 * next)};
    const Quad a = __builtin_shufflevector(*rows[0], *rows[1], 0, 4, 1, 5);
    const Quad b = __builtin_shufflevector(*rows[2], *rows[3], 0, 4, 1, 5);
    const Quad c = __builtin_shufflevector(*rows[0], *rows[1], 2, 6, 3, 7);
    const Quad d = __builtin_shufflevector(*rows[2], *rows[3], 2, 6, 3, 7);
    to[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    to[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    to[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    to[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* taps [9][LANES] := the 3 x 3 weights of one input and LANES outputs, which lie `next` floats
 * apart. */
INLINED void read_taps(bool turned, const float *from, ptrdiff_t next, float (*taps)[LANES])
{
#pragma GCC unroll 4
    for (int o = 0; o < LANES; o += 4, from += 4 * next) {
        Quad quads[8];
        transpose(from, next, quads);
        transpose(from + 4, next, quads + 4);
#pragma GCC unroll 8
        for (int tap = 0; tap < 8; tap++)
            *(Quad *)&taps[turned ? 8 - tap : tap][o] = quads[tap];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            taps[turned ? 0 : 8][o + i] = from[i * next + 8];
    }
}

/* The same of a vector with fewer outputs, and zeros. */
static void read_some_taps(const WinogradWeights *weights, int outs, const float *from,
                           float (*taps)[LANES])
{
    memset(taps, 0, 9 * sizeof *taps);
    for (int o = 0; o < outs; o++)
        for (int tap = 0; tap < 9; tap++)
            taps[weights->turned ? 8 - tap : tap][o] = from[o * weights->next_out + tap];
}

/* taps [SOME][9][LANES] := the weights of LANES outputs, from `out`, and SOME inputs, from `in`;
 * zeros where there are none. */
static void read_weights(const WinogradWeights *weights, int in, int out, float (*taps)[9][LANES])
{
    const int outs = smaller(LANES, weights->out - out);
    for (int i = 0; i < SOME; i++) {
        const float *from = weights->at + out * weights->next_out + (in + i) * weights->next_in;
        if (outs < LANES || in + i >= weights->in)
            read_some_taps(weights, in + i < weights->in ? outs : 0, from, taps[i]);
        else if (weights->turned)
            read_taps(true, from, weights->next_out, taps[i]);
        else
            read_taps(false, from, weights->next_out, taps[i]);
    }
}

static void weights(const WinogradWeights *weights, int first, int last, int out,
                    ptrdiff_t next_point, float *u)
{
    float taps[SOME][9][LANES];
    for (int c = first; c < last; c += SOME)
        for (int half = 0; half < COLUMNS; half += LANES) {
            read_weights(weights, c, out + half, taps);
            for (int i = 0; i < SOME && c + i < last; i++) {
                const Pixels at = {
                    .first = taps[i][0], .next_row = (ptrdiff_t)3 * LANES, .next_column = LANES};
                transform_taps(3, true, true, &at, 0, u + (c + i) * COLUMNS + half, next_point);
            }
        }
}

/* products [rows][36][COLUMNS] of one point: a group's V times a column's U. */
INLINED void multiply_rows(int rows, int in, const float *v, const float *u, float *products)
{
    Vec sum[ROWS][2] = {{{0}}};
    for (int c = 0; c < in; c += LANES, v += NEXT_VECTOR, u += LANES * COLUMNS) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            if (i * 16 < ROWS * LANES)
                __builtin_prefetch(v + ROWS * LANES + i * 16);
            const Vec left = load_vec(u + i * COLUMNS), right = load_vec(u + i * COLUMNS + LANES);
#pragma GCC unroll 12
            for (int r = 0; r < rows; r++) {
                const Vec factor = splat(v[r * LANES + i]);
                sum[r][0] += factor * left;
                sum[r][1] += factor * right;
            }
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        store_vec(products + r * POINTS * COLUMNS, sum[r][0]);
        store_vec(products + r * POINTS * COLUMNS + LANES, sum[r][1]);
    }
}

/* A last group may have fewer tiles. What is computed for the others is not used. */
static void multiply(int rows, int in, const float *v, const float *u, float *products)
{
    if (rows > 2 * THIRD)
        multiply_rows(ROWS, in, v, u, products);
    else if (rows > THIRD)
        multiply_rows(2 * THIRD, in, v, u, products);
    else
        multiply_rows(THIRD, in, v, u, products);
}

/* Where a tile's outputs go: its corner, and its rows, columns and channels that exist. */
typedef struct Corner {
    ptrdiff_t at, next_row;
    int rows, columns;
} Corner;

static Corner find_corner(const Tiles *tiles, int tile, int channels)
{
    const int image = tile / tiles->per_image, rest = tile % tiles->per_image;
    const int row = rest / tiles->across * WINOGRAD_TILE;
    const int column = rest % tiles->across * WINOGRAD_TILE;
    const ptrdiff_t next_row = (ptrdiff_t)tiles->width * channels;
    return (Corner){(image * tiles->height + row) * next_row + (ptrdiff_t)column * channels,
                    next_row, smaller(WINOGRAD_TILE, tiles->height - row),
                    smaller(WINOGRAD_TILE, tiles->width - column)};
}

/* One row of a tile's outputs, `count` channels of each: a vector of them if `full`. All four exist
 * if `whole`. */
INLINED void write_row(bool whole, bool full, const Vec outputs[WINOGRAD_TILE], Vec bias, float *to,
                       const float *added, ptrdiff_t next, int columns, int count)
{
#pragma GCC unroll 4
    for (int j = 0; j < WINOGRAD_TILE; j++) {
        Vec value = outputs[j] + bias, more = {0};
        if (!whole && j >= columns)
            break;
        if (full) {
            if (added)
                value += load_vec(added + j * next);
            store_vec(to + j * next, value);
            continue;
        }
        if (added)
            memcpy(&more, added + j * next, (size_t)count * sizeof(float));
        value += more;
        memcpy(to + j * next, &value, (size_t)count * sizeof(float));
    }
}

/* The `count` channels from `channel`, at most a vector, of one tile, which exists wholly if
 * `whole`. */
INLINED void write_tile(bool whole, bool full, const float *products, const WinogradOutput *y,
                        const Corner *corner, int channel, int count)
{
    const ptrdiff_t next = y->channels, next_row = corner->next_row;
    float *to = y->at + corner->at + channel;
    const float *added = y->added ? y->added + corner->at + channel : NULL;
    const int height = corner->rows, columns = corner->columns;
    Vec bias = {0}, rows[MOST_IN_PART][WINOGRAD_REACH], outputs[WINOGRAD_TILE];
    if (y->bias)
        memcpy(&bias, y->bias + channel, (size_t)count * sizeof(float));
#pragma GCC unroll 2
    for (int part = 0; part < OUTPUT_PARTS; part++) {
        output_rows(WINOGRAD_TILE, true, part, products, COLUMNS, rows);
#pragma GCC unroll 2
        for (int k = 0; k < MOST_IN_PART; k++) {
            const int row = part + 2 * k;
            if (!whole && row >= height)
                continue;
            points_to_outputs(WINOGRAD_TILE, true, outputs, rows[k]);
            write_row(whole, full, outputs, bias, to + row * next_row,
                      added ? added + row * next_row : NULL, next, columns, count);
        }
    }
}

static void write_tiles(const Tiles *tiles, const float *products, const WinogradOutput *y,
                        int first, int last, int channel)
{
    for (int tile = first; tile < last; tile++, products += POINTS * COLUMNS) {
        const Corner corner = find_corner(tiles, tile, y->channels);
        const bool whole = corner.rows == WINOGRAD_TILE && corner.columns == WINOGRAD_TILE;
        for (int half = 0; half < COLUMNS && channel + half < y->channels; half += LANES) {
            const int count = smaller(LANES, y->channels - channel - half);
            if (count == LANES && whole)
                write_tile(true, true, products + half, y, &corner, channel + half, LANES);
            else if (count == LANES)
                write_tile(false, true, products + half, y, &corner, channel + half, LANES);
            else
                write_tile(false, false, products + half, y, &corner, channel + half, count);
        }
    }
}

static void output(const Tiles *tiles, int in, const float *v, const float *u, ptrdiff_t next_point,
                   float *products, const WinogradOutput *y, int first, int last, int channel)
{
    const int vectors = (in + LANES - 1) / LANES;
    for (int point = 0; point < POINTS; point++)
        for (int tile = 0; tile < last - first; tile += ROWS)
            multiply(last - first - tile, in,
                     v + (ptrdiff_t)tile / ROWS * vectors * NEXT_VECTOR + point * ROWS * LANES,
                     u + point * next_point, products + (tile * POINTS + point) * COLUMNS);
    write_tiles(tiles, products, y, first, last, channel);
}

/* -- Gradient --------------------------------------------------------------------------------- */

/* A vector of channels of a tile. */
INLINED void factor_vector(bool is_input, bool inside, const Pixels *pixels, int channel, float *to)
{
    enum { NEXT_POINT = WINOGRAD_GROUP * COLUMNS };
    if (is_input)
        transform_input(inside, pixels, channel, to, NEXT_POINT);
    else
        transform_taps(WINOGRAD_TILE, false, inside, pixels, channel, to, NEXT_POINT);
}

/* One tile of an image. Channels are filled up to whole columns: the last one may have a vector of
 * zeros. */
INLINED void factor(bool is_input, const Tiles *tiles, const float *x, int channels, int tile,
                    ptrdiff_t next_column, float *to)
{
    const int size = is_input ? WINOGRAD_REACH : WINOGRAD_TILE;
    float rest[POINTS][LANES];
    Pixels pixels;
    int c = 0;
    find_pixels(&pixels, tiles, tile, size, is_input, x, channels);
    if (pixels.inside)
        for (; c + LANES <= channels; c += LANES)
            factor_vector(is_input, true, &pixels, c, to + c / COLUMNS * next_column + c % COLUMNS);
    for (; c + LANES <= channels; c += LANES)
        factor_vector(is_input, false, &pixels, c, to + c / COLUMNS * next_column + c % COLUMNS);
    for (; c < channels || c % COLUMNS != 0; c += LANES) {
        float *place = to + c / COLUMNS * next_column + c % COLUMNS;
        if (channels % LANES == 0) {
            for (int point = 0; point < POINTS; point++)
                memset(place + point * WINOGRAD_GROUP * COLUMNS, 0, LANES * sizeof(float));
            continue;
        }
        fill_vector(size * size, c, channels, &pixels, rest);
        factor_vector(is_input, false, &pixels, 0, place);
    }
}

static void input_factor(const Tiles *tiles, const float *x, int channels, int tile,
                         ptrdiff_t next_column, float *to)
{
    factor(true, tiles, x, channels, tile, next_column, to);
}

static void gradient_factor(const Tiles *tiles, const float *dy, int channels, int tile,
                            ptrdiff_t next_column, float *to)
{
    factor(false, tiles, dy, channels, tile, next_column, to);
}

/* Some rows of the sums. Not unrolled: gcc 12 then runs out of registers. */
INLINED void multiply_factor_rows(int rows, int tiles, const WinogradFactors *f, int row,
                                  float *sums, bool fresh)
{
    Vec sum[ROWS][2] = {{{0}}};
    const float *group_z = f->z + row, *group_v = f->v;
#pragma GCC unroll 1
    for (int group = 0; group < tiles; group += WINOGRAD_GROUP) {
        const float *z = group_z, *v = group_v;
        const int last = smaller(tiles - group, WINOGRAD_GROUP);
#pragma GCC unroll 1
        for (int tile = 0; tile < last; tile++, z += COLUMNS, v += COLUMNS) {
            const Vec left = load_vec(v), right = load_vec(v + LANES);
#pragma GCC unroll 12
            for (int r = 0; r < rows; r++) {
                const Vec factor = splat(z[r]);
                sum[r][0] += factor * left;
                sum[r][1] += factor * right;
            }
        }
        group_z += f->next_z;
        group_v += f->next_v;
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++, sums += COLUMNS) {
        if (!fresh) {
            sum[r][0] += load_vec(sums);
            sum[r][1] += load_vec(sums + LANES);
        }
        store_vec(sums, sum[r][0]);
        store_vec(sums + LANES, sum[r][1]);
    }
}

/* The rows are whole blocks of ROWS, and what remains: a third or two of a block. */
static void multiply_factors(int tiles, const WinogradFactors *f, float *sums, bool fresh)
{
    enum { REST = COLUMNS % ROWS };
    _Static_assert(REST == THIRD || REST == 2 * THIRD, "rows of the sums");
    int row = 0;
    for (; row + ROWS <= COLUMNS; row += ROWS)
        multiply_factor_rows(ROWS, tiles, f, row, sums + row * COLUMNS, fresh);
    multiply_factor_rows(REST, tiles, f, row, sums + row * COLUMNS, fresh);
}

/* The weights of one output and the `count` inputs of a vector. */
INLINED void write_weights(const float *sums, float *dw, int count)
{
    Vec taps[9], rows[MOST_IN_PART][WINOGRAD_REACH];
    for (int part = 0; part < OUTPUT_PARTS; part++) {
        output_rows(3, false, part, sums, COLUMNS * COLUMNS, rows);
        for (int row = part; row < 3; row += 2)
            points_to_outputs(3, false, taps + 3 * row, rows[row / 2]);
    }
    const float *lanes = (const float *)taps;
    int i = 0;
    for (; i + 4 <= count; i += 4, dw += 4 * 9) {
        Quad quads[8];
        transpose(lanes + i, LANES, quads);
        transpose(lanes + 4 * LANES + i, LANES, quads + 4);
        for (int k = 0; k < 4; k++) {
            *(Quad *)(dw + k * 9) = quads[k];
            *(Quad *)(dw + k * 9 + 4) = quads[4 + k];
            dw[k * 9 + 8] = lanes[8 * LANES + i + k];
        }
    }
    for (; i < count; i++, dw += 9)
        for (int tap = 0; tap < 9; tap++)
            dw[tap] = lanes[tap * LANES + i];
}

static void gradient(const float *sums, float *dw, int in, int out, int first_in, int first_out)
{
    const int outs = smaller(COLUMNS, out - first_out);
    for (int o = 0; o < outs; o++)
        for (int i = 0; i < COLUMNS && first_in + i < in; i += LANES)
            write_weights(sums + o * COLUMNS + i,
                          dw + ((ptrdiff_t)(first_out + o) * in + first_in + i) * 9,
                          smaller(LANES, in - first_in - i));
}

const WinogradKernels KERNELS = {
    .name = NAME,
    .lanes = LANES,
    .rows = ROWS,
    .columns = COLUMNS,
    .input = input,
    .weights = weights,
    .output = output,
    .input_factor = input_factor,
    .gradient_factor = gradient_factor,
    .multiply_factors = multiply_factors,
    .gradient = gradient,
};
