/* The kernels of group normalisation for AVX-512. A division takes the time of ten other
 * instructions; the approximate reciprocal and a step of Newton's method take that of four, and are
 * as exact. */
#include "layers/group_norm_kernels.h"

#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)

#include "base/dispatch.h"

#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))),    \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif

INLINED __m512 reciprocal(__m512 x)
{
    const __m512 y = _mm512_rcp14_ps(x);
    return y + y * (1.0f - x * y);
}

INLINED __m256i upper_halves(__m512i bits)
{
    const __m512i odd = _mm512_setr_epi32(0x30001, 0x70005, 0xb0009, 0xf000d, 0x130011, 0x170015,
                                          0x1b0019, 0x1f001d, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi16(odd, bits));
}

#define LANES 16
#define KERNELS group_norm_avx512
/* The second operand is the result where one is NaN. */
#define MOST(x, limit) _mm512_max_ps(limit, x)
#define LEAST(x, limit) _mm512_min_ps(limit, x)
#define RECIPROCAL(x) reciprocal(x)
#define WIDEN(half) (Bits) _mm512_cvtepu16_epi32((__m256i)(half))
#define UPPER_HALVES(bits) (Half) upper_halves((__m512i)(bits))
#define WHERE(bits, x) _mm512_maskz_mov_ps((__mmask16)(bits), x)
#include "layers/group_norm_code.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
