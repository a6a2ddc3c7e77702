/* Checks of a file to be written, made before the work whose result goes there. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Whether `path` ends in `extension` (".png"), in either case. */
bool output_has_extension(const char *path, const char *extension);

/* An error if `path` and `input` are the same file, which would be lost. */
bool output_is_not(const char *path, const char *input, Error *error);

/* An error if `path` can't be written, or is a checkpoint, which would be lost. */
bool output_check(const char *path, Error *error);
