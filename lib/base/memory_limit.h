/* Checks the limit on memory (ulimit -v) for the libraries, which cannot handle one.
 *
 * OpenBLAS asks for ever for memory that it does not get: for a buffer of 128 MiB before main()
 * begins, and for one more per thread when LAPACK is first used. oneDNN crashes if there is no
 * memory for the code that it generates. So we add up what they will ask for, and report an error
 * before they do.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the limit lets the libraries initialise at all: they have not begun when a program asks
 * (base/memory_limit_start.h). Both numbers are filled in, in MiB. */
bool memory_limit_allows_start(int64_t *limit_mib, int64_t *needed_mib);

/* Whether the limit leaves what the libraries will need, and with `lapack` OpenBLAS's threads too.
 * A run-time error says how much is needed. To be called before anything is computed. */
bool memory_limit_check(bool lapack, Error *error);

/* To be called after LAPACK was used: its threads have their memory, which is no longer added. */
void memory_limit_lapack_used(void);

/* Whether `bytes` can be allocated and the libraries still get their memory. True if there is no
 * limit. */
bool memory_limit_leaves(size_t bytes);
