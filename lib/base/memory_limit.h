/* Limits on memory (ulimit -v), under which the libraries fail in ways of their own.
 *
 * OpenBLAS asks again and again, for ever, for memory that it does not get: before main() begins, for a buffer of
 * 128 MiB, and for one more per thread when LAPACK is first used. oneDNN crashes where there is none for the code
 * that it makes. So it is counted what they will want before they do.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the limit lets the libraries initialise at all: they have not begun when a program asks
 * (base/memory_limit_start.h). Both numbers are filled in, in MiB. */
bool memory_limit_allows_start(int64_t *limit_mib, int64_t *needed_mib);

/* Before anything is computed: whether the limit leaves what the libraries will want, OpenBLAS's threads too with
 * `lapack`. A run-time error says how much is needed. */
bool memory_limit_check(bool lapack, Error *error);

/* After LAPACK was used: its threads have theirs. */
void memory_limit_lapack_used(void);

/* Whether `bytes` can be taken so that the libraries still get theirs. True where there is no limit. */
bool memory_limit_leaves(size_t bytes);
