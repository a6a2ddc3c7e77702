/* Checks of any file before a library opens it.
 *
 * HDF5, zlib and stdio each report a missing file, a directory or a named pipe in their own words,
 * or hang on it. Here the answer is the same for all formats.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

/* Checks that `path` is a readable regular file that is not empty, and gives its size in bytes.
 * Input error if not, in which `expected` names the kind of file: "an HDF5 file". */
bool input_file_check(const char *path, const char *expected, int64_t *size, Error *error);

/* Opens a regular file for reading, without waiting. NULL with errno set if it cannot be opened:
 * ENOENT if nothing is there, EINVAL if it is a named pipe, a directory or a device. Caller
 * closes. */
FILE *input_file_open(const char *path);
