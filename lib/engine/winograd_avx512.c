/* Winograd's kernels for AVX-512: 24 of the 32 registers hold sums. */
#include "engine/winograd_kernels.h"

#if defined(__x86_64__) && !defined(VARHEAD_NO_DISPATCH)

#include "base/dispatch.h"

#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))),    \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif

#define LANES 16
#define THIRD 4
#define NAME "varhead:winograd_avx512"
#define KERNELS winograd_avx512
#include "engine/winograd_code.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
