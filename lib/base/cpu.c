/* Reads Linux's files in /proc, and times a loop of multiply-adds and a pass over memory.
 *
 * The loop of multiply-adds keeps its sums in registers: enough of them to hide the latency of a multiply-add (4 to
 * 5 cycles on two units), and no more than there are (16 before AVX-512). There is a loop for each
 * instruction set, since the length of a vector differs.
 */
#include "base/cpu.h"

#include "base/clock.h"
#include "base/dispatch.h"

#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- Words ------------------------------------------------------------------------------------- */

enum { LINE_SIZE = 8192 };

/* The value of the first "key : value" line of a file in /proc, "" if there is none. */
static void read_value(const char *path, const char *key, char *value, size_t size)
{
    char line[LINE_SIZE];
    value[0] = '\0';
    FILE *file = fopen(path, "r");
    while (file && value[0] == '\0' && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    if (file)
        fclose(file);
}

const char *cpu_name(void)
{
    static char name[256];
    read_value("/proc/cpuinfo", "model name", name, sizeof name);
    return name[0] ? name : "unknown";
}

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

const char *cpu_features(void)
{
    static const char *const known[] = {
        "sse4_1",      "avx",      "avx2",        "fma",   "avx512f", "avx512bw", "avx512_vnni",
        "avx512_bf16", "amx_bf16", "avx512_fp16", "asimd", "sve",     "bf16"};
    static char found[256];
    char all[LINE_SIZE];
    read_value("/proc/cpuinfo", "flags", all, sizeof all);
    if (!all[0])
        read_value("/proc/cpuinfo", "Features", all, sizeof all); /* 64-bit Arm */
    found[0] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (has_word(all, known[i]))
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s",
                     found[0] ? " " : "", known[i]);
    return found;
}

static CpuVectors processor_vectors(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return CPU_VECTORS_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return CPU_VECTORS_AVX2;
#endif
    return CPU_VECTORS_BASELINE;
}

/* What oneDNN's variable allows: names of it are SSE41, AVX, AVX2, AVX2_VNNI, AVX512_CORE, ... */
static CpuVectors allowed_vectors(void)
{
    const char *name = getenv("ONEDNN_MAX_CPU_ISA");
    if (!name)
        name = getenv("DNNL_MAX_CPU_ISA");
    if (!name)
        return CPU_VECTORS_AVX512;
    if (strcasecmp(name, "SSE41") == 0 || strcasecmp(name, "AVX") == 0)
        return CPU_VECTORS_BASELINE;
    return strncasecmp(name, "AVX2", 4) == 0 ? CPU_VECTORS_AVX2 : CPU_VECTORS_AVX512;
}

CpuVectors cpu_vectors(void)
{
    const CpuVectors has = processor_vectors(), may = allowed_vectors();
    return has < may ? has : may;
}

int cpu_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
}

static int64_t memory_line(const char *key)
{
    char value[64];
    read_value("/proc/meminfo", key, value, sizeof value);
    return strtoll(value, NULL, 10) * 1024; /* "24664120 kB" */
}

int64_t cpu_memory(void)
{
    return memory_line("MemTotal");
}

int64_t cpu_memory_available(void)
{
    return memory_line("MemAvailable");
}

/* -- Numbers ----------------------------------------------------------------------------------- */

/* Defines name(rounds): `rounds` times SUMS multiply-adds of vectors of `bytes` bytes. It returns
 * their sum, so that the compiler does not leave them out. */
#define MULTIPLY_ADDS(name, attribute, bytes, SUMS)                                                \
    attribute static float name(int64_t rounds)                                                    \
    {                                                                                              \
        typedef float Vector __attribute__((vector_size(bytes)));                                  \
        Vector sums[SUMS] = {{0}}, factor = {0}, total = {0};                                      \
        factor += 0.999f;                                                                          \
        for (int k = 0; k < (SUMS); k++)                                                           \
            sums[k] += (float)k;                                                                   \
        for (int64_t i = 0; i < rounds; i++)                                                       \
            _Pragma("GCC unroll 12") for (int k = 0; k < (SUMS); k++) sums[k] =                    \
                sums[k] * factor + factor;                                                         \
        _Pragma("GCC unroll 12") for (int k = 0; k < (SUMS); k++) total += sums[k];                \
        return total[0];                                                                           \
    }

MULTIPLY_ADDS(plain_sums, , 16, 12)

/* A loop, the floats in one of its vectors, and its number of sums. */
typedef struct Kernel {
    float (*run)(int64_t rounds);
    int floats, sums;
} Kernel;

#if defined(__x86_64__)
MULTIPLY_ADDS(avx2_sums, __attribute__((target("avx2,fma"))), 32, 12)
MULTIPLY_ADDS(avx512_sums, __attribute__((target("avx512f"))), 64, 12)

static Kernel best_kernel(void)
{
    const Kernel kernels[] = {[CPU_VECTORS_BASELINE] = {plain_sums, 4, 12},
                              [CPU_VECTORS_AVX2] = {avx2_sums, 8, 12},
                              [CPU_VECTORS_AVX512] = {avx512_sums, 16, 12}};
    return kernels[cpu_vectors()];
}
#else
static Kernel best_kernel(void)
{
    return (Kernel){plain_sums, 4, 12};
}
#endif

double cpu_peak(int threads)
{
    /* Some milliseconds at a time: waking the threads takes a tenth of one. */
    enum { ROUNDS = 1 << 21, TIMES = 24 };
    const Kernel kernel = best_kernel();
    double best = 0;
    volatile float sink = 0; /* uses the results, or the compiler would leave the loop out */
    for (int time = 0; time < TIMES; time++) {
        const double begin = clock_seconds();
#pragma omp parallel num_threads(threads)
        {
            const float sum = kernel.run(ROUNDS);
#pragma omp critical(cpu_peak)
            sink = sink + sum;
        }
        const double speed =
            2.0 * ROUNDS * kernel.sums * kernel.floats * threads / (clock_seconds() - begin);
        best = speed > best ? speed : best;
    }
    (void)sink;
    return best;
}

/* x := 0.5 x + y. */
VECTORISED static void scale_and_add(float *restrict x, const float *restrict y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = 0.5f * x[i] + y[i];
}

double cpu_bandwidth(int threads)
{
    enum { TIMES = 8 };
    const size_t block = 1 << 16, blocks = 256, count = block * blocks;
    double best = 0.0;
    float *x = calloc(2 * count, sizeof *x);
    for (int time = 0; x && time <= TIMES; time++) { /* the first pass gives the pages memory */
        const double begin = clock_seconds();
#pragma omp parallel for schedule(static) num_threads(threads)
        for (size_t b = 0; b < blocks; b++)
            scale_and_add(x + b * block, x + count + b * block, block);
        const double speed = 3.0 * (double)(count * sizeof *x) / (clock_seconds() - begin);
        best = time > 0 && speed > best ? speed : best;
    }
    free(x);
    return best;
}
