/* Memory of two kinds, so that every caller knows whether it must check.
 *
 * Small things (names, lists, structs) come from memory_small and its kin. These abort when the
 * machine has no memory left, since nothing useful can be done then; programs print a line first
 * (memory_at_end). Everything whose size depends on data or on a configuration (activations,
 * parameters, images) comes from memory_large, which fails with an Error. Both kinds are zeroed,
 * and both are released with memory_free. memory_unset spares the zeros, for what is written whole
 * before it is read. Any thread may call these functions.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Bytes: a cache line, and the widest vector register. */
enum { MEMORY_ALIGNMENT = 64 };

/* count * size zeroed bytes. Never NULL. */
void *memory_small(size_t count, size_t size);

/* Grows an array of `size`-byte items to hold `count` items; new ones are not zeroed. Never
 * NULL. */
void *memory_grow(void *array, size_t count, size_t size);

/* A copy of a string; NULL gives NULL. */
char *memory_string(const char *text);

/* A new string made by printf. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* count * size zeroed bytes, aligned to MEMORY_ALIGNMENT. NULL with a run-time error, in which
 * `what` names the thing, on overflow or if there is no memory. count = 0 gives a valid pointer. */
void *memory_large(size_t count, size_t size, const char *what, Error *error);

/* memory_large without the zeros: the bytes are whatever lay there before. */
void *memory_unset(size_t count, size_t size, const char *what, Error *error);

/* From now on say(count, size) is called before the abort, with the refused request; it must not
 * allocate. NULL, the initial state: nothing is called. */
void memory_at_end(void (*say)(size_t count, size_t size));

/* For programs, at their start: freed blocks of less than 4 MiB stay with the process, up to 64 MiB of
 * them. HDF5 allocates and frees such a block for every chunk, and the system would clear its pages
 * anew each time. */
void memory_keep_freed(void);

/* Bytes of memory that this process can have at most: the machine's, or less if a limit is set
 * (ulimit -v, a container). */
double memory_of_machine(void);

/* `bytes` rounded up to a multiple of MEMORY_ALIGNMENT. */
size_t memory_aligned(size_t bytes);

/* Releases memory of either kind; NULL is fine. */
void memory_free(void *memory);
