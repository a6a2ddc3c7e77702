/* The gradient of a convolution's weights with AMX instructions:
 *
 *     dW[o, c, ky, kx] = sum over images n and pixels (y, x) of
 *                        dy[n, y, x, o] * in[n, stride y + ky - pad, stride x + kx - pad, c]
 *
 * For each tap (ky, kx), dW is a product of two matrices, dy^T [o, pixels] and in [pixels, c]. An
 * AMX instruction multiplies 16 x 32 by 32 x 16 bfloat16 numbers and adds the product to a tile of
 * 16 x 16 floats. It sums over 32 numbers. In a row of the left factor these lie side by side; in a
 * row of the right factor, pairs of them lie side by side:
 *
 *     left tile     row o:  dy[0, o] dy[1, o] dy[2, o] ... dy[31, o]        (16 rows of 64 bytes)
 *     right tile    row p:  in[2p, c=0] in[2p+1, c=0]  in[2p, c=1] in[2p+1, c=1] ...  (the same)
 *
 * A pair is the same pixel of two images, 2p and 2p+1. (Neighbours in a row can't be a pair: the
 * taps of a 3 x 3 kernel shift the input by odd numbers of pixels, and would separate them.) A tap
 * then shifts the right factor by whole rows of a tile, and one copy of the input serves all taps.
 * The 32 numbers of a step are `step_pixels` neighbours of `images` images, 32 = step_pixels *
 * images. These are chosen so that rows of 32, 16, 8 or 4 pixels, and of 7 or 14, divide with
 * little waste.
 *
 * Both factors are rearranged once into buffers that stay in the core's cache. Channels, columns
 * and images that do not exist become zeros. Then the buffers are used many times: dy by all taps
 * and input channels, the input by all taps and output channels. The units are a tile of 16 output
 * channels and a block of 32 input channels:
 *
 *     dy   [out tile][group of images][row][step][16 channels][step_pixels, images]
 *     in   [in block][group][input row][phase][column][images / 2 pairs][2 halves][16 channels][2]
 *
 * A phase holds the columns that are equal modulo the stride, so that neighbours of dy always meet
 * neighbours of `in`. Rows above and below the image are not stored but skipped. Most of the eight
 * tile registers hold sums over all pixels in the buffers (multiply_row).
 *
 * weight_plan.h chooses the blocks of pixels and the threads' shares.
 */
#include "engine/weight_gradient.h"

#include "engine/weight_plan.h"

#include <assert.h>
#include <string.h>

size_t weight_gradient_scratch_bytes(const ConvShape *shape, int threads)
{
    const Plan plan = plan_make(shape, threads);
    return plan_scratch_bytes(&plan, threads);
}

#if defined(__x86_64__) && defined(__linux__) &&                                                   \
    (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)

#include <cpuid.h>
#include <immintrin.h>
#include <omp.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,bmi2")))

enum {
    /* Bytes between the rows of a left tile. */
    LEFT_STRIDE = 64,
    /* Bytes between the two right tiles of a block. */
    HALF = 64,
};

typedef struct TileConfig {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileConfig;

/* gcc's tile intrinsics do not declare that they read memory. The fence keeps gcc from moving
 * stores behind them. */
#define COMPILER_FENCE() __asm__ volatile("" ::: "memory")

/* A bit for each of the 32 channels from `first`: whether it exists. */
static __mmask32 channel_mask(int channels, int first)
{
    int left = channels - first;
    return left >= BLOCK ? ~(__mmask32)0 : ((__mmask32)1 << left) - 1;
}

/* 8 channels of every eighth pixel. */
AMX static inline __m512i gather_lanes(const uint16_t *rows)
{
#define LANE(i) _mm_load_si128((const __m128i *)(rows + 8 * (i)*BLOCK))
    __m512i lanes = _mm512_castsi128_si512(LANE(0));
    lanes = _mm512_inserti32x4(lanes, LANE(1), 1);
    lanes = _mm512_inserti32x4(lanes, LANE(2), 2);
    return _mm512_inserti32x4(lanes, LANE(3), 3);
#undef LANE
}

/* Transposes 8 channels of 32 pixels to 8 rows of a left tile. A lane of 128 bits takes a pixel's 8
 * channels. Each shuffle works within lanes, and after the last one each row holds one channel. */
AMX static void transpose8(char *to, const uint16_t *rows)
{
    __m512i pair[8];
    for (int i = 0; i < 4; i++) { /* pixels 8 lane + 2 i and the next one */
        __m512i even = gather_lanes(rows + 2 * i * BLOCK);
        __m512i odd = gather_lanes(rows + (2 * i + 1) * BLOCK);
        pair[i] = _mm512_unpacklo_epi16(even, odd);     /* channels 0 to 3 */
        pair[i + 4] = _mm512_unpackhi_epi16(even, odd); /* channels 4 to 7 */
    }
    for (int i = 0; i < 8; i += 4) {
        __m512i a = _mm512_unpacklo_epi32(pair[i], pair[i + 1]);
        __m512i b = _mm512_unpackhi_epi32(pair[i], pair[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(pair[i + 2], pair[i + 3]);
        __m512i d = _mm512_unpackhi_epi32(pair[i + 2], pair[i + 3]);
        char *row = to + i * LEFT_STRIDE;
        _mm512_store_si512(row, _mm512_unpacklo_epi64(a, c));
        _mm512_store_si512(row + LEFT_STRIDE, _mm512_unpackhi_epi64(a, c));
        _mm512_store_si512(row + 2 * LEFT_STRIDE, _mm512_unpacklo_epi64(b, d));
        _mm512_store_si512(row + 3 * LEFT_STRIDE, _mm512_unpackhi_epi64(b, d));
    }
}

/* pixels := the 32 pixels of a step; NULL for a pixel that does not exist. */
static void step_pixels(const uint16_t *pixels[STEP], const Plan *plan, const uint16_t *dy,
                        int group, int row, int step)
{
    const ConvShape *s = &plan->shape;
    int first_column = step * plan->step_pixels, first_image = group * plan->images;
    for (int column = first_column; column < first_column + plan->step_pixels; column++)
        for (int image = first_image; image < first_image + plan->images; image++) {
            ptrdiff_t place = ((ptrdiff_t)image * s->out_height + row) * s->out_width + column;
            bool exists = column < s->out_width && image < s->n;
            *pixels++ = exists ? dy + place * s->out_channels : NULL;
        }
}

/* Rearranges a step of dy for all tiles of channels. `left` points to the step in the first
 * tile. */
AMX static void rearrange_step(char *left, const Plan *plan, const uint16_t *pixels[STEP])
{
    _Alignas(64) uint16_t rows[STEP][BLOCK];
    for (int first = 0; first < plan->out_tiles * 16;
         first += BLOCK, left += 2 * plan->left_bytes) {
        const __mmask32 channels = channel_mask(plan->shape.out_channels, first);
        for (int k = 0; k < STEP; k++) {
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): step_pixels fills all */
            __mmask32 exist = pixels[k] ? channels : 0;
            const uint16_t *from = pixels[k] ? pixels[k] + first : NULL;
            _mm512_store_si512(rows[k], _mm512_maskz_loadu_epi16(exist, from));
        }
        transpose8(left, &rows[0][0]);
        transpose8(left + TILE / 2, &rows[0][8]);
        transpose8(left + plan->left_bytes, &rows[0][16]);
        transpose8(left + plan->left_bytes + TILE / 2, &rows[0][24]);
    }
}

static void rearrange_dy(char *left, const Plan *plan, Pixels at, const uint16_t *dy)
{
    const uint16_t *pixels[STEP];
    for (int group = at.first_group; group < at.first_group + at.groups; group++)
        for (int row = at.first_row; row < at.first_row + at.rows; row++)
            for (int step = 0; step < plan->steps; step++, left += TILE) {
                step_pixels(pixels, plan, dy, group, row, step);
                rearrange_step(left, plan, pixels);
            }
}

/* Writes 32 channels of a pixel of two images as a row of the two right tiles: a0 b0 a1 b1 ... */
AMX static inline void interleave(char *to, __m512i a, __m512i b)
{
    /* Unpacking works within lanes of 128 bits, so quarters that belong together are moved to one
     * lane. */
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    a = _mm512_permutexvar_epi64(order, a);
    b = _mm512_permutexvar_epi64(order, b);
    _mm512_store_si512(to, _mm512_unpacklo_epi16(a, b));
    _mm512_store_si512(to + HALF, _mm512_unpackhi_epi16(a, b));
}

/* Rearranges a pixel of all images of a group, in some blocks of channels. `pixel` points to the
 * first image's; NULL writes zeros. */
AMX static void rearrange_pixel(char *right, const Plan *plan, const uint16_t *pixel, int images,
                                int first_block, int last_block)
{
    const ConvShape *s = &plan->shape;
    const ptrdiff_t next = (ptrdiff_t)s->in_height * s->in_width * s->in_channels;
    for (int image = 0; image < plan->images; image += 2, right += RIGHT_STRIDE) {
        char *to = right;
        for (int block = first_block; block < last_block; block++, to += plan->right_bytes) {
            const __mmask32 channels = channel_mask(s->in_channels, block * BLOCK);
            const uint16_t *a = NULL, *b = NULL;
            if (pixel && image < images)
                a = pixel + image * next + block * BLOCK;
            if (pixel && image + 1 < images)
                b = pixel + (image + 1) * next + block * BLOCK;
            interleave(to, _mm512_maskz_loadu_epi16(a ? channels : 0, a),
                       _mm512_maskz_loadu_epi16(b ? channels : 0, b));
        }
    }
}

/* Rearranges a row of input. `right` points to the row in the first block. */
static void rearrange_row(char *right, const Plan *plan, const uint16_t *row, int images,
                          int first_block, int last_block)
{
    const ConvShape *s = &plan->shape;
    const ptrdiff_t bytes = pixel_right_bytes(plan);
    for (int phase = 0; phase < plan->phases; phase++)
        for (int i = 0; i < plan->columns; i++, right += bytes) {
            int column = i * s->stride + phase - s->pad_begin;
            bool inside = column >= 0 && column < s->in_width;
            rearrange_pixel(right, plan, inside ? row + (ptrdiff_t)column * s->in_channels : NULL,
                            images, first_block, last_block);
        }
}

static void rearrange_input(char *right, const Plan *plan, Pixels at, const uint16_t *x,
                            int first_block, int last_block)
{
    const ConvShape *s = &plan->shape;
    const int rows = input_rows(plan, at.rows);
    const ptrdiff_t row_bytes = row_right_bytes(plan);
    for (int group = at.first_group; group < at.first_group + at.groups; group++)
        for (int i = 0; i < rows; i++, right += row_bytes) {
            int row = at.first_row * s->stride - s->pad_begin + i, image = group * plan->images;
            if (row < 0 || row >= s->in_height)
                continue;
            const uint16_t *from =
                x + ((ptrdiff_t)image * s->in_height + row) * s->in_width * s->in_channels;
            rearrange_row(right, plan, from, smaller(plan->images, s->n - image), first_block,
                          last_block);
        }
}

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

/* All products of a block of pixels with one block of input channels. */
static void multiply_block(const Plan *plan, TileProduct p)
{
    const int kernel = plan->shape.kernel;
    const ptrdiff_t row_sums = kernel * 2 * TILE_FLOATS;
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

/* The products of a block of pixels with the input blocks [first, last). dy is already rearranged
 * at `left`. The input is rearranged here, a few of its blocks at a time. */
static void run_block(const Plan *plan, Pixels at, bool add, int first, int last, const uint16_t *x,
                      float *sums, const char *left, char *right)
{
    for (; first < last; first += RIGHT_BLOCKS) {
        const int end = smaller(first + RIGHT_BLOCKS, last);
        rearrange_input(right, plan, at, x, first, end);
        COMPILER_FENCE();
        for (int in = first; in < end; in++)
            multiply_block(plan, (TileProduct){
                                     .at = at,
                                     .add = add,
                                     .left = left,
                                     .right = right + (in - first) * plan->right_bytes,
                                     .sums = sums + in * block_sums(plan),
                                 });
    }
}

/* The sums of one slice of the pixels and one part of the input channels. */
AMX static void run_part(const Plan *plan, int slice, int part, const uint16_t *x,
                         const uint16_t *dy, float *sums, char *buffer)
{
    static const TileConfig config = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {16, 16, 16, 16, 16, 16, 16, 16},
    };
    const int first = part * plan->part_blocks;
    const int last = smaller(first + plan->part_blocks, plan->in_blocks);
    const int first_block = slice * plan->blocks / plan->slices;
    const int last_block = (slice + 1) * plan->blocks / plan->slices;
    char *left = buffer, *right = buffer + plan->out_tiles * plan->left_bytes;
    _tile_loadconfig(&config);
    for (int block = first_block; block < last_block; block++) {
        const Pixels at = plan_pixels(plan, block);
        const bool add = block > first_block;
        rearrange_dy(left, plan, at, dy);
        run_block(plan, at, add, first, last, x, sums, left, right);
        for (int out = 0; part == 0 && out < plan->out_tiles; out++)
            sum_pixels(sums + weight_sums(plan) + out * 16, add, at.groups * at.rows * plan->steps,
                       left + out * plan->left_bytes);
    }
    _tile_release();
}

/* Adds the slices' sums of a tile of output and a block of input channels. */
AMX static void add_slices(float *total, const Plan *plan, const float *sums)
{
    for (int i = 0; i < plan->taps * 2 * TILE_FLOATS; i += 16) {
        __m512 sum = _mm512_load_ps(sums + i);
        for (int slice = 1; slice < plan->slices; slice++)
            sum = _mm512_add_ps(sum, _mm512_load_ps(sums + slice * slice_sums(plan) + i));
        _mm512_store_ps(total + i, sum);
    }
}

/* Writes four taps of weights [16 channels][taps], from a row of their tiles. */
AMX static inline void write_four_taps(float *weights, ptrdiff_t taps, const float *row)
{
    __m512 a = _mm512_load_ps(row), b = _mm512_load_ps(row + 2 * TILE_FLOATS);
    __m512 c = _mm512_load_ps(row + 4 * TILE_FLOATS), d = _mm512_load_ps(row + 6 * TILE_FLOATS);
    __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
    __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
    __m512d cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
    __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    const __m512d channels[4] = {
        /* Lane l of entry i holds the four taps of channel 4 l + i. */
        _mm512_unpacklo_pd(ab_low, cd_low), _mm512_unpackhi_pd(ab_low, cd_low),
        _mm512_unpacklo_pd(ab_high, cd_high), _mm512_unpackhi_pd(ab_high, cd_high)};
    for (int i = 0; i < 4; i++) {
        __m512 v = _mm512_castpd_ps(channels[i]);
        _mm_storeu_ps(weights + i * taps, _mm512_castps512_ps128(v));
        _mm_storeu_ps(weights + (4 + i) * taps, _mm512_extractf32x4_ps(v, 1));
        _mm_storeu_ps(weights + (8 + i) * taps, _mm512_extractf32x4_ps(v, 2));
        _mm_storeu_ps(weights + (12 + i) * taps, _mm512_extractf32x4_ps(v, 3));
    }
}

/* weights [channels][taps] of an output channel, from its rows in the tiles of each tap. */
AMX static void write_channels(float *weights, const Plan *plan, int channels, const float *row)
{
    int tap = 0;
    for (; channels == 16 && tap + 4 <= plan->taps; tap += 4)
        write_four_taps(weights + tap, plan->taps, row + tap * 2 * TILE_FLOATS);
    for (; tap < plan->taps; tap++)
        for (int c = 0; c < channels; c++)
            weights[c * plan->taps + tap] = row[tap * 2 * TILE_FLOATS + c];
}

/* Writes the weights of a tile of output channels and a block of input channels. `total` has room
 * for them. */
static void write_block(float *dw, const Plan *plan, const float *sums, float *total, int out,
                        int in)
{
    const ConvShape *s = &plan->shape;
    const int outs = smaller(16, s->out_channels - out * 16);
    add_slices(total, plan,
               sums + in * block_sums(plan) + (ptrdiff_t)out * plan->taps * 2 * TILE_FLOATS);
    for (int o = 0; o < outs; o++)
        for (int half = 0; half < 2; half++) {
            const int first = in * BLOCK + half * 16, ins = smaller(16, s->in_channels - first);
            float *weights = dw + ((ptrdiff_t)(out * 16 + o) * s->in_channels + first) * plan->taps;
            if (ins > 0)
                write_channels(weights, plan, ins, total + half * TILE_FLOATS + o * 16);
        }
}

static void write_bias(float *db, const Plan *plan, const float *sums)
{
    for (int o = 0; o < plan->shape.out_channels; o++) {
        db[o] = 0.0f;
        for (int slice = 0; slice < plan->slices; slice++)
            db[o] += sums[slice * slice_sums(plan) + weight_sums(plan) + o];
    }
}

void weight_gradient(const ConvShape *shape, int threads, const uint16_t *x, const uint16_t *dy,
                     float *dw, float *db, void *scratch)
{
    const Plan plan = plan_make(shape, threads);
    float *sums = scratch;
    float *totals = sums + plan.slices * slice_sums(&plan);
    char *buffers = (char *)(totals + threads * tap_sums(&plan));
    assert((uintptr_t)scratch % 64 == 0 && weight_gradient_available());
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int i = 0; i < plan.slices * plan.parts; i++)
            run_part(&plan, i / plan.parts, i % plan.parts, x, dy,
                     sums + i / plan.parts * slice_sums(&plan), buffers + i * buffer_bytes(&plan));
#pragma omp for schedule(static)
        for (int i = 0; i < plan.in_blocks * plan.out_tiles; i++)
            write_block(dw, &plan, sums, totals + omp_get_thread_num() * tap_sums(&plan),
                        i % plan.out_tiles, i / plan.out_tiles);
    }
    if (db)
        write_bias(db, &plan, sums);
}

/* Whether the processor has the instructions, and the operating system saves all their
 * registers. */
__attribute__((target("xsave"))) static bool processor_has_amx(void)
{
    const unsigned amx = 1u << 22 | 1u << 24; /* amx-bf16, amx-tile */
    const unsigned avx512 =
        1u << 16 | 1u << 17 | 1u << 30 | 1u << 31 | 1u << 8; /* f dq bw vl, bmi2 */
    const unsigned registers = 3u << 17 | 7u << 5 | 7u;
    unsigned a, b, c, d;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & 1u << 27)) /* xgetbv */
        return false;
    if ((_xgetbv(0) & registers) != registers)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & avx512) == avx512 && (d & amx) == amx;
}

/* Linux gives a process the large tile registers when it asks. */
static bool has_amx;

static void ask(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    has_amx = processor_has_amx() &&
              syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool weight_gradient_available(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask);
    return has_amx;
}

#else

bool weight_gradient_available(void)
{
    return false;
}

void weight_gradient(const ConvShape *shape, int threads, const uint16_t *x, const uint16_t *dy,
                     float *dw, float *db, void *scratch)
{
    (void)shape, (void)threads, (void)x, (void)dy, (void)dw, (void)db, (void)scratch;
    assert(!"weight_gradient where it is not available");
}

#endif
