/* Winograd's kernels for AVX2 and FMA: 12 of the 16 registers hold sums. */
#include "engine/winograd_kernels.h"

#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)

#include "base/dispatch.h"

#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define LANES 8
#define THIRD 2
#define NAME "varhead:winograd_avx2"
#define KERNELS winograd_avx2
#include "engine/winograd_code.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
