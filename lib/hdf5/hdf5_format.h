/* The attribute by which an HDF5 file names its own format. */
#pragma once

#include <stdbool.h>

/* *format := the attribute `format` of the root, a string, or NULL if there is none; the caller
 * frees it. False if the file cannot be read. Unlike hdf5_open it reads nothing else, so that a
 * large file takes no longer. */
bool hdf5_format(const char *path, char **format);
