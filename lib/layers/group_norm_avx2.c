/* The kernels of group normalisation for AVX2 and FMA. */
#include "layers/group_norm_kernels.h"

#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)

#include "base/dispatch.h"

#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

INLINED __m128i upper_halves(__m256i bits)
{
    const __m256i halves = _mm256_srli_epi32(bits, 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

#define LANES 8
#define KERNELS group_norm_avx2
/* The second operand is the result where one is NaN. */
#define MOST(x, limit) _mm256_max_ps(limit, x)
#define LEAST(x, limit) _mm256_min_ps(limit, x)
#define WIDEN(half) (Bits) _mm256_cvtepu16_epi32((__m128i)(half))
#define UPPER_HALVES(bits) (Half) upper_halves((__m256i)(bits))
#include "layers/group_norm_code.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
