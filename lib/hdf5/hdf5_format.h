/* What an HDF5 file says that it is. */
#pragma once

#include <stdbool.h>

/* *format := the attribute `format` of the root, a string, or NULL where there is none; the caller frees it. False if
 * the file can't be read. Unlike hdf5_open it looks at nothing else, however large the file. */
bool hdf5_format(const char *path, char **format);
