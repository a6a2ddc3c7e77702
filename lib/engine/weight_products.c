/* Most of the eight tile registers hold sums over all pixels in the buffers. The others are loaded
 * from the buffers, a step at a time.
 */
#include "engine/weight_products.h"

#include "engine/amx.h"

#if AMX_COMPILED

#include <immintrin.h>

typedef struct TileConfig {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileConfig;

/* gcc's tile intrinsics do not declare that they read memory. The fence keeps gcc from moving
 * stores behind them. */
#define COMPILER_FENCE() __asm__ volatile("" ::: "memory")

/* Eight tiles of 16 rows of 64 bytes. */
AMX void weight_products_begin(void)
{
    static const TileConfig config = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {16, 16, 16, 16, 16, 16, 16, 16},
    };
    _tile_loadconfig(&config);
}

AMX void weight_products_end(void)
{
    _tile_release();
}

/* -- The sums of the weights ------------------------------------------------------------------ */

/* A product of a tile of output channels, over the pixels of a block, with one block of input
 * channels. */
typedef struct TileProduct {
    Pixels at;
    int tap_row;
    /* Whether the product is added to the sums or replaces them. */
    bool add;
    /* The buffers, at this tile and block. */
    const char *left;
    const char *right;
    /* [2 tiles] for each tap. */
    float *sums;
    /* The sums of the next product. */
    float *next_sums;
} TileProduct;

/* The number of bytes by which tap (tap_row, tap_column) shifts the right factor. */
static ptrdiff_t right_shift(const Plan *plan, int tap_row, int tap_column)
{
    const int stride = plan->shape.stride;
    const int column = tap_column % stride * plan->columns + tap_column / stride;
    return tap_row * row_right_bytes(plan) + column * pixel_right_bytes(plan);
}

/* Whether dy's row i of a block meets a row of the image. */
static inline bool row_meets(const Plan *plan, Pixels at, int i, int tap_row)
{
    int row = (at.first_row + i) * plan->shape.stride - plan->shape.pad_begin + tap_row;
    return row >= 0 && row < plan->shape.in_height;
}

/* Row i of a group of images, in the left buffer and in the right one. */
static inline const char *left_row(const Plan *plan, const TileProduct *p, int group, int i)
{
    return p->left + (ptrdiff_t)(group * p->at.rows + i) * plan->steps * TILE;
}

static inline const char *right_row(const Plan *plan, const TileProduct *p, int group, int i)
{
    int row = group * input_rows(plan, p->at.rows) + i * plan->shape.stride;
    return p->right + row * row_right_bytes(plan);
}

/* Prefetches `bytes` of sums, and returns the address after them. Sums start in a far cache, so
 * each step prefetches a few lines of the next product's sums. */
static inline const char *call_sums(const char *sums, const char *end, ptrdiff_t bytes)
{
    for (; bytes > 0 && sums < end; bytes -= 64, sums += 64)
        _mm_prefetch(sums, _MM_HINT_T0);
    return sums;
}

/* The three taps of a row of a 3 x 3 kernel, for 16 output channels and 32 input channels. The
 * registers are six tiles of sums, one of dy and one of input. The three shifts of the input read
 * nearly the same lines of memory, so a step reads only 3 KiB from the second-level cache for six
 * products. */
AMX static void multiply_row(const Plan *plan, const TileProduct *p)
{
    enum { TILES = 6 };
    char *sums = (char *)p->sums;
    const char *next = (const char *)p->next_sums, *end = next + TILES * TILE;
    const int steps = p->at.groups * p->at.rows * plan->steps;
    const ptrdiff_t call = divide_up(TILES * TILE, steps);
    const ptrdiff_t shift0 = right_shift(plan, p->tap_row, 0);
    const ptrdiff_t shift1 = right_shift(plan, p->tap_row, 1);
    const ptrdiff_t shift2 = right_shift(plan, p->tap_row, 2);
    if (p->add) {
        _tile_loadd(0, sums, 64);
        _tile_loadd(1, sums + TILE, 64);
        _tile_loadd(2, sums + 2 * TILE, 64);
        _tile_loadd(3, sums + 3 * TILE, 64);
        _tile_loadd(4, sums + 4 * TILE, 64);
        _tile_loadd(5, sums + 5 * TILE, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        _tile_zero(4);
        _tile_zero(5);
    }
    for (int group = 0; group < p->at.groups; group++)
        for (int i = 0; i < p->at.rows; i++) {
            if (!row_meets(plan, p->at, i, p->tap_row))
                continue;
            const char *left = left_row(plan, p, group, i);
            const char *right = right_row(plan, p, group, i);
            for (int step = 0; step < plan->steps; step++, left += TILE, right += 2 * TILE) {
                _tile_loadd(6, left, LEFT_STRIDE);
                _tile_loadd(7, right + shift0, RIGHT_STRIDE);
                _tile_dpbf16ps(0, 6, 7);
                _tile_loadd(7, right + shift0 + HALF, RIGHT_STRIDE);
                _tile_dpbf16ps(1, 6, 7);
                _tile_loadd(7, right + shift1, RIGHT_STRIDE);
                _tile_dpbf16ps(2, 6, 7);
                _tile_loadd(7, right + shift1 + HALF, RIGHT_STRIDE);
                _tile_dpbf16ps(3, 6, 7);
                _tile_loadd(7, right + shift2, RIGHT_STRIDE);
                _tile_dpbf16ps(4, 6, 7);
                _tile_loadd(7, right + shift2 + HALF, RIGHT_STRIDE);
                _tile_dpbf16ps(5, 6, 7);
                next = call_sums(next, end, call);
            }
        }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + TILE, 64);
    _tile_stored(2, sums + 2 * TILE, 64);
    _tile_stored(3, sums + 3 * TILE, 64);
    _tile_stored(4, sums + 4 * TILE, 64);
    _tile_stored(5, sums + 5 * TILE, 64);
}

/* One tap of a kernel of any size, for two tiles of output channels: this one and the next. */
AMX static void multiply_tap(const Plan *plan, const TileProduct *p, int tap_column)
{
    char *above = (char *)p->sums, *below = above + plan->taps * 2 * TILE;
    const ptrdiff_t shift = right_shift(plan, p->tap_row, tap_column);
    if (p->add) {
        _tile_loadd(0, above, 64);
        _tile_loadd(1, above + TILE, 64);
        _tile_loadd(2, below, 64);
        _tile_loadd(3, below + TILE, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int group = 0; group < p->at.groups; group++)
        for (int i = 0; i < p->at.rows; i++) {
            if (!row_meets(plan, p->at, i, p->tap_row))
                continue;
            const char *left = left_row(plan, p, group, i);
            const char *right = right_row(plan, p, group, i) + shift;
            for (int step = 0; step < plan->steps; step++, left += TILE, right += 2 * TILE) {
                _tile_loadd(4, left, LEFT_STRIDE);
                _tile_loadd(6, right, RIGHT_STRIDE);
                _tile_loadd(5, left + plan->left_bytes, LEFT_STRIDE);
                _tile_loadd(7, right + HALF, RIGHT_STRIDE);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    _tile_stored(0, above, 64);
    _tile_stored(1, above + TILE, 64);
    _tile_stored(2, below, 64);
    _tile_stored(3, below + TILE, 64);
}

void weight_products_multiply(const Plan *plan, Pixels at, bool add, const char *left,
                              const char *right, float *sums)
{
    const int kernel = plan->shape.kernel;
    const ptrdiff_t row_sums = kernel * 2 * TILE_FLOATS;
    TileProduct p = {.at = at, .add = add, .left = left, .right = right, .sums = sums};
    COMPILER_FENCE();
    if (kernel == 3) {
        for (int out = 0; out < plan->out_tiles; out++, p.left += plan->left_bytes)
            for (p.tap_row = 0; p.tap_row < kernel; p.tap_row++, p.sums += row_sums) {
                p.next_sums = p.sums + row_sums;
                multiply_row(plan, &p);
            }
        return;
    }
    for (int out = 0; out < plan->out_tiles; out += 2, p.left += 2 * plan->left_bytes) {
        for (p.tap_row = 0; p.tap_row < kernel; p.tap_row++)
            for (int column = 0; column < kernel; column++, p.sums += 2 * TILE_FLOATS)
                multiply_tap(plan, &p, column);
        p.sums += row_sums * kernel;
    }
}

/* -- The sums of the biases ------------------------------------------------------------------- */

#define ONE_PAIR 0x3f803f80

/* sums [16 channels] := or += the sum of a block of dy over its pixels, as a product with ones. */
AMX static void sum_pixels(float *sums, bool add, int steps, const char *left)
{
    static const uint32_t ones[16] = {ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR,
                                      ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR,
                                      ONE_PAIR, ONE_PAIR, ONE_PAIR, ONE_PAIR};
    _Alignas(64) float products[16][16];
    /* The stride 0 loads the same row 16 times. */
    _tile_loadd(6, ones, 0);
    _tile_zero(0);
    for (int step = 0; step < steps; step++, left += TILE) {
        _tile_loadd(4, left, LEFT_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
    }
    _tile_stored(0, products, 64);
    for (int i = 0; i < 16; i++)
        sums[i] = (add ? sums[i] : 0.0f) + products[i][0];
}

void weight_products_sum(const Plan *plan, Pixels at, bool add, const char *left, float *sums)
{
    const int steps = at.groups * at.rows * plan->steps;
    COMPILER_FENCE();
    for (int out = 0; out < plan->out_tiles; out++, left += plan->left_bytes, sums += 16)
        sum_pixels(sums, add, steps, left);
}

#endif
