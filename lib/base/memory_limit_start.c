/* OpenBLAS hangs while it initialises under a low limit on memory. So the check is made by a
 * function that the loader calls before it initialises any library (.preinit_array). Only programs
 * can have such functions: the linker refuses them in a library, so this file is apart from
 * memory_limit.c, which a library needs.
 *
 * Sanitized programs are not checked: they take terabytes of address space, and the sanitizer is
 * not initialised so early. */
#include "base/memory_limit_start.h"

#include "base/error.h"
#include "base/memory_limit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void memory_limit_start(void)
{
}

#ifndef VARHEAD_NO_DISPATCH

static void check_before_libraries(int argc, char **argv, char **environment)
{
    (void)environment;
    int64_t limit, needed;
    if (memory_limit_allows_start(&limit, &needed))
        return;
    char line[200];
    const char *name = argc > 0 ? argv[0] : "varhead", *slash = strrchr(name, '/');
    const int length =
        snprintf(line, sizeof line,
                 "%.60s: the limit on memory is %lld MiB (ulimit -v), expected at least %lld to "
                 "start\n",
                 slash ? slash + 1 : name, (long long)limit, (long long)needed);
    (void)!write(STDERR_FILENO, line, (size_t)length);
    _exit(ERROR_RUNTIME);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = check_before_libraries;

#endif
