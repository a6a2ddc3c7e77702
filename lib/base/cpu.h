/* The processor, in words and in numbers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "Intel(R) Xeon(R) Processor"; "unknown" where the system does not say. */
const char *cpu_name(void);

/* The instruction sets that matter for speed here: "sse4_1 avx avx2 fma avx512f"; "" for none. */
const char *cpu_features(void);

/* Cores that this process may use. */
int cpu_cores(void);

/* Bytes of the machine's memory, and of what a program can still get without others being swapped out;
 * 0 where the system does not say. */
int64_t cpu_memory(void);
int64_t cpu_memory_available(void);

/* Floating-point operations per second that `threads` threads reach together in float32 multiply-adds
 * on registers alone, each counted as two: the most that any program can reach. Measured for about a
 * tenth of a second. */
double cpu_peak(int threads);
