/* One binary that is fast on every processor.
 *
 * A function marked VECTORISED is compiled several times: for plain x86-64, for AVX2 and FMA,
 * and for AVX-512 with 16-bit lanes. The loader picks the best version that the processor can
 * run. Such functions are plain C loops over contiguous floats, which the compiler turns into
 * vector code. They start no threads, since the compilers do not clone the bodies of OpenMP
 * loops; callers run them from inside a parallel loop. They are static, since clang's clones
 * cannot be called from another file, and have names of their own in the whole library, since
 * clang shows these to the linker.
 *
 * Off x86 the baseline already has vector registers (NEON), and the mark does nothing.
 * Sanitizers cannot instrument the loader's choice: VARHEAD_NO_DISPATCH turns it off.
 */
#pragma once

#include <stdint.h> /* defines __GLIBC__ where it applies, as <stddef.h> does not */

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) &&                             \
    !defined(VARHEAD_NO_DISPATCH) && (!defined(__clang__) || __clang_major__ >= 14)
#if defined(__clang__) || __GNUC__ >= 12
#define VECTORISED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))
#endif
#else
#define VECTORISED
#endif

/* For small helpers of VECTORISED functions, which must be compiled into each version. */
#define INLINED static inline __attribute__((always_inline))
