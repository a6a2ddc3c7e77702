/* AMX, the matrix unit of some x86 processors: whether there is one, and the mark of the functions
 * that use it.
 *
 * Where the compiler doesn't know the instructions, AMX_COMPILED is 0 and code that uses them is
 * left out.
 */
#pragma once

#include <stdbool.h>

#if defined(__x86_64__) && defined(__linux__) &&                                                   \
    (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define AMX_COMPILED 1
#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,bmi2")))
#else
#define AMX_COMPILED 0
#endif

/* Whether this processor, operating system and compiler have AMX for bfloat16. */
bool amx_available(void);
