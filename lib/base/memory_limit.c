/* Adds up the memory that the libraries will take, by measured sizes, and compares it with the
 * limit and with the address space in use. */
#include "base/memory_limit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t MIB = 1 << 20;

/* MiB, of OpenBLAS 0.3.21 and oneDNN 2.7 on x86-64 (docs/reliability.md). */
enum {
    /* The buffer of each thread of OpenBLAS. The first thread asks for two and gives one back. */
    BLAS_BUFFER = 129,
    /* The rest that all libraries together take when they are initialised. */
    AT_START = 2,
    /* oneDNN's code, the heap and OpenMP's threads for the smallest network. */
    AT_WORK = 128,
    /* A reserve that memory_large never gives away. */
    RESERVE = 24,
    DEFAULT_STACK = 8,
};

/* Bytes that OpenBLAS's threads will take when LAPACK is first used; 0: none, or they have taken
 * them. */
static _Atomic int64_t for_lapack;

/* The limit in bytes; -1: none. */
static int64_t limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > INT64_MAX)
        return -1;
    return (int64_t)limit.rlim_cur;
}

/* Bytes of address space in use; 0 if the system does not say. */
static int64_t used(void)
{
    char text[64] = "";
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof text - 1);
        close(fd);
    }
    return strtoll(text, NULL, 10) * sysconf(_SC_PAGESIZE); /* the first number, in pages */
}

/* How many threads OpenBLAS will have. */
static int64_t blas_threads(void)
{
    static const char *const names[] = {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS",
                                        "OMP_NUM_THREADS"};
    cpu_set_t set;
    const int64_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = getenv(names[i]);
        const long wanted = text ? strtol(text, NULL, 10) : 0;
        if (wanted > 0)
            return wanted < cores ? wanted : cores;
    }
    return cores;
}

/* Bytes of address space of a thread's stack. */
static int64_t stack_size(void)
{
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY ||
        stack.rlim_cur > (rlim_t)(1024 * MIB))
        return DEFAULT_STACK * MIB;
    return (int64_t)stack.rlim_cur;
}

bool memory_limit_allows_start(int64_t *limit_mib, int64_t *needed_mib)
{
    const int64_t most = limit();
    const int64_t stacks = (blas_threads() - 1) * stack_size();
    const int64_t second = stacks > BLAS_BUFFER * MIB ? stacks : BLAS_BUFFER * MIB;
    const int64_t needed = used() + (BLAS_BUFFER + AT_START) * MIB + second;
    *limit_mib = most / MIB;
    *needed_mib = (needed + MIB - 1) / MIB;
    return most < 0 || most >= needed;
}

static bool leaves(int64_t bytes)
{
    const int64_t most = limit();
    return most < 0 || used() + bytes + for_lapack <= most;
}

bool memory_limit_check(bool lapack, Error *error)
{
    if (lapack)
        for_lapack = (blas_threads() - 1) * (BLAS_BUFFER * MIB + stack_size());
    if (leaves(AT_WORK * MIB))
        return true;
    const int64_t needed = used() + for_lapack + AT_WORK * MIB;
    return error_runtime(error,
                         "the limit on memory is %lld MiB (ulimit -v), expected at least %lld for "
                         "the smallest of networks%s",
                         (long long)(limit() / MIB), (long long)((needed + MIB - 1) / MIB),
                         for_lapack > 0 ? " and OpenBLAS's threads (OPENBLAS_NUM_THREADS)" : "");
}

void memory_limit_lapack_used(void)
{
    for_lapack = 0;
}

bool memory_limit_leaves(size_t bytes)
{
    const size_t most = INT64_MAX / 2;
    return leaves((int64_t)(bytes < most ? bytes : most) + RESERVE * MIB);
}
