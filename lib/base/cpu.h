/* The processor and the memory of this machine, in words and in numbers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "Intel(R) Xeon(R) Processor"; "unknown" if the system does not say. Lives until the next call. */
const char *cpu_name(void);

/* The instruction sets that matter for speed here: "sse4_1 avx avx2 fma avx512f"; "" for none.
 * Lives until the next call. */
const char *cpu_features(void);

/* The vectors that kernels of our own use; each includes those before it. */
typedef enum CpuVectors {
    /* Those that every processor of this kind has. */
    CPU_VECTORS_BASELINE,
    /* x86: 8 floats, with fused multiply-add. */
    CPU_VECTORS_AVX2,
    /* x86: 16 floats, with all extensions of servers (F, BW, DQ, VL). */
    CPU_VECTORS_AVX512,
} CpuVectors;

/* The best that this processor has and that ONEDNN_MAX_CPU_ISA (or its older name
 * DNNL_MAX_CPU_ISA), which holds oneDNN, allows. */
CpuVectors cpu_vectors(void);

/* Cores that this process may use. */
int cpu_cores(void);

/* Bytes of the machine's memory, and of the part that is free or can be freed without swapping; 0
 * if the system does not say. */
int64_t cpu_memory(void);
int64_t cpu_memory_available(void);

/* Floating-point operations per second that `threads` threads reach together in float32
 * multiply-adds on registers alone, each counted as two. No program can be faster. Measured for
 * about a tenth of a second. */
double cpu_peak(int threads);

/* Bytes per second that `threads` threads read and write together in x := s x + y over arrays too
 * large for any cache, two reads to one write. Measured for about a tenth of a second; 128 MiB are
 * allocated meanwhile. 0 where they cannot be had. */
double cpu_bandwidth(int threads);
