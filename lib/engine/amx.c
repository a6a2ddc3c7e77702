/* Asks the processor for AMX, and Linux for the right to use it. */
#include "engine/amx.h"

#if AMX_COMPILED

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the processor has the instructions, and the operating system saves all their
 * registers. */
__attribute__((target("xsave"))) static bool processor_has_amx(void)
{
    const unsigned amx = 1u << 22 | 1u << 24; /* amx-bf16, amx-tile */
    const unsigned avx512 =
        1u << 16 | 1u << 17 | 1u << 30 | 1u << 31 | 1u << 8; /* f dq bw vl, bmi2 */
    const unsigned registers = 3u << 17 | 7u << 5 | 7u;
    unsigned a, b, c, d;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & 1u << 27)) /* xgetbv */
        return false;
    if ((_xgetbv(0) & registers) != registers)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & avx512) == avx512 && (d & amx) == amx;
}

/* Linux gives a process the large tile registers when it asks. */
static bool has_amx;

static void ask(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    has_amx = processor_has_amx() &&
              syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool amx_available(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask);
    return has_amx;
}

#else

bool amx_available(void)
{
    return false;
}

#endif
