/* Allocation: calloc for the small, aligned pages for the large, one way to release both.
 *
 * glibc's free() takes memory of malloc and of aligned_alloc alike, so one memory_free serves
 * both kinds and no header has to be kept before a block. */
#include "base/memory.h"

#include "base/memory_limit.h"

#include <malloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void (*last_words)(size_t count, size_t size);

void memory_keep_freed(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

void memory_at_end(void (*say)(size_t count, size_t size))
{
    last_words = say;
}

static _Noreturn void out_of_memory(size_t count, size_t size)
{
    if (last_words)
        last_words(count, size);
    abort();
}

void *memory_small(size_t count, size_t size)
{
    /* calloc checks the product, and may return NULL for zero bytes. */
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(count, size);
    return memory;
}

void *memory_grow(void *array, size_t count, size_t size)
{
    void *grown = reallocarray(array, count > 0 ? count : 1, size > 0 ? size : 1);
    if (grown == NULL)
        out_of_memory(count, size);
    return grown;
}

char *memory_string(const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        out_of_memory(strlen(text) + 1, 1);
    return copy;
}

char *memory_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory(strlen(format), 1);
    return text;
}

/* Bytes of the smallest block that is compared with the limit on memory. */
enum { WORTH_A_LOOK = 1 << 18 };

/* Bytes of a huge page, and of the smallest block that is worth some of them. */
enum { HUGE_PAGE = 1 << 21, WORTH_HUGE_PAGES = 4 * HUGE_PAGE };

/* `bytes` bytes, in huge pages where the system has them: a pass over memory then misses the
 * translation of an address once in 2 MiB and not once in 4 KiB. Only pages that the block fills
 * are asked for, so that the program takes no more memory. */
static void *allocate(size_t bytes)
{
    if (bytes < WORTH_HUGE_PAGES)
        return aligned_alloc(MEMORY_ALIGNMENT, bytes);
    void *memory = NULL; /* aligned_alloc would want whole huge pages: sanitizers insist on it */
    if (posix_memalign(&memory, HUGE_PAGE, bytes) == 0)
        (void)madvise(memory, bytes - bytes % HUGE_PAGE, MADV_HUGEPAGE); /* it is only advice */
    else
        memory = NULL;
    return memory;
}

/* A block for count * size bytes, and in *rounded its whole bytes. */
static void *reserve(size_t count, size_t size, size_t *rounded, const char *what, Error *error)
{
    size_t bytes = 0, up = 0; /* to whole cache lines: aligned_alloc asks for a multiple */
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)MEMORY_ALIGNMENT - 1, &up) || up > PTRDIFF_MAX) {
        error_runtime(error, "%s: %zu x %zu bytes are more than this machine can address", what,
                      count, size);
        return NULL;
    }
    up -= up % MEMORY_ALIGNMENT;
    *rounded = up > 0 ? up : MEMORY_ALIGNMENT;

    const bool allowed = *rounded < WORTH_A_LOOK || memory_limit_leaves(*rounded);
    void *memory = allowed ? allocate(*rounded) : NULL;
    if (memory == NULL)
        error_runtime(error, "%s: not enough memory for %.1f MiB%s", what,
                      (double)bytes / (1024.0 * 1024.0),
                      allowed ? "" : " within the limit (ulimit -v)");
    return memory;
}

void *memory_large(size_t count, size_t size, const char *what, Error *error)
{
    size_t bytes;
    void *memory = reserve(count, size, &bytes, what, error);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void *memory_unset(size_t count, size_t size, const char *what, Error *error)
{
    size_t bytes;
    return reserve(count, size, &bytes, what, error);
}

size_t memory_aligned(size_t bytes)
{
    return (bytes + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
}

void memory_free(void *memory)
{
    free(memory);
}

/* The limit of the control group, in bytes; INFINITY: none, or the system does not say. */
static double memory_of_container(void)
{
    char text[32] = "", *end = text;
    FILE *file = fopen("/sys/fs/cgroup/memory.max", "r");
    double bytes = file && fgets(text, sizeof text, file) ? strtod(text, &end) : INFINITY;
    if (file)
        fclose(file);
    return end == text ? INFINITY : bytes; /* "max" */
}

double memory_of_machine(void)
{
    struct rlimit limit;
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        bytes = fmin(bytes, (double)limit.rlim_cur);
    return fmin(bytes, memory_of_container());
}
