/* Files that commands write: checks, made before the work whose result goes there, and text files. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

/* What files of results say of themselves, in the attribute `format`: terms of bounds, sums of a sweep
 * that was stopped, and measures of samples. */
#define NLL_TERMS_FORMAT "varhead-nll"
#define SWEEP_FORMAT "varhead-sweep"
#define QUALITY_FORMAT "varhead-quality"

/* Whether `path` ends in `extension` (".png"), in either case. */
bool output_has_extension(const char *path, const char *extension);

/* An error if `path` and `input` are the same file, which would be lost. */
bool output_is_not(const char *path, const char *input, Error *error);

/* The same for several inputs, those that are NULL left out, and then output_check. */
bool output_check_beside(const char *path, const char *const *inputs, int count, Error *error);

/* An error if `path` can't be written, or is a checkpoint or another file that varhead keeps, which would be
 * lost. */
bool output_check(const char *path, Error *error);

/* An error if `path` is there and is anything but an HDF5 file whose attribute `format` says that it is
 * of this kind: for names that the user did not choose. */
bool output_replaces(const char *path, const char *format, Error *error);

/* Writes a text file, whole or not at all: what `write` prints to the stream, given `context`. */
bool output_text(const char *path, void (*write)(FILE *to, const void *context),
                 const void *context, Error *error);

/* `path` with `ending` in the place of its extension ".csv", or behind it if it has another. Caller
 * frees. */
char *output_sibling(const char *path, const char *ending);
