/* Rearranges with registers of 512 bits: they are loaded with channels of a pixel, shuffled within
 * and between their lanes, and stored whole. Masks leave out the channels that do not exist.
 */
#include "engine/weight_factors.h"

#include "engine/amx.h"

#if AMX_COMPILED

#include <immintrin.h>

/* A bit for each of the 32 channels from `first`: whether it exists. */
static __mmask32 channel_mask(int channels, int first)
{
    int left = channels - first;
    return left >= BLOCK ? ~(__mmask32)0 : ((__mmask32)1 << left) - 1;
}

/* -- The left factor, dy ---------------------------------------------------------------------- */

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

AMX void weight_factors_left(char *left, const Plan *plan, Pixels at, const uint16_t *dy)
{
    const uint16_t *pixels[STEP];
    for (int group = at.first_group; group < at.first_group + at.groups; group++)
        for (int row = at.first_row; row < at.first_row + at.rows; row++)
            for (int step = 0; step < plan->steps; step++, left += TILE) {
                step_pixels(pixels, plan, dy, group, row, step);
                rearrange_step(left, plan, pixels);
            }
}

/* -- The right factor, the input --------------------------------------------------------------- */

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

AMX void weight_factors_right(char *right, const Plan *plan, Pixels at, const uint16_t *x,
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

#endif
