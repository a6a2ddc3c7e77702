/* Files that commands write: checks, made before the work whose result goes there, and text files. */
#pragma once

#include "base/error.h"
#include "io/file_kind.h"

#include <stdbool.h>
#include <stdio.h>

/* Whether `path` ends in `extension` (".png"), in either case. */
bool output_has_extension(const char *path, const char *extension);

/* An input error unless it ends in one of `extensions`, ".csv" or ".h5.hdf5" (all of them in one text): what `option`
 * names becomes such a file. */
bool output_check_name(const char *option, const char *path, const char *extensions, Error *error);

/* The files that a command reads, and what a user would call them: "data.train of this run". */
enum { OUTPUT_MOST_INPUTS = 12 };

typedef struct OutputInputs {
    struct {
        const char *name, *path; /* not copied */
    } items[OUTPUT_MOST_INPUTS];
    int count;
} OutputInputs;

/* Adds a file; none where `path` is NULL. */
void output_inputs_add(OutputInputs *inputs, const char *name, const char *path);

/* Whether `path` can become a file of that kind (io/file_kind.h). An input error says what is in the way, and which of
 * the command's inputs that is; a run-time error why nothing can be written there. To be asked before the work, and
 * again after files have been made that were not there: whoever writes the file asks once more. */
bool output_check(const char *path, FileKind kind, const OutputInputs *inputs, Error *error);

/* Writes a text file, whole or not at all: what files of its kind begin with, and then what `write` prints to the
 * stream, given `context`. */
bool output_text(const char *path, FileKind kind, void (*write)(FILE *to, const void *context),
                 const void *context, Error *error);

/* Writes a file of these bytes, likewise. */
bool output_bytes(const char *path, FileKind kind, const void *bytes, size_t size, Error *error);

/* `path` with `ending` in the place of its extension ".csv", or behind it if it has another. Caller
 * frees. */
char *output_sibling(const char *path, const char *ending);
