/* Four taps of 16 input channels are written at a time: registers transpose 4 x 16 numbers. A
 * kernel of 3 x 3 leaves one tap, which is written channel by channel.
 */
#include "engine/weight_totals.h"

#include "engine/amx.h"

#if AMX_COMPILED

#include <immintrin.h>

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

void weight_totals_write(float *dw, const Plan *plan, const float *sums, float *total, int out,
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

void weight_totals_write_bias(float *db, const Plan *plan, const float *sums)
{
    for (int o = 0; o < plan->shape.out_channels; o++) {
        db[o] = 0.0f;
        for (int slice = 0; slice < plan->slices; slice++)
            db[o] += sums[slice * slice_sums(plan) + weight_sums(plan) + o];
    }
}

#endif
