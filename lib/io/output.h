/* Files that commands write: checks before the work, and writing texts and bytes. */
#pragma once

#include "base/error.h"
#include "io/file_kind.h"

#include <stdbool.h>
#include <stdio.h>

/* Whether `path` ends in `extension` (".png"), in either case. */
bool output_has_extension(const char *path, const char *extension);

/* Input error unless `path`, the value of `option`, ends in one of `extensions`, which is one or
 * two of them in one text: ".csv", ".h5.hdf5". */
bool output_check_name(const char *option, const char *path, const char *extensions, Error *error);

/* The files that a command reads, with names for messages: "data.train of this run". */
enum { OUTPUT_MAX_INPUTS = 12 };

typedef struct OutputInputs {
    struct {
        /* Not copied. */
        const char *name, *path;
    } items[OUTPUT_MAX_INPUTS];
    int count;
} OutputInputs;

/* Adds a file, unless `path` is NULL. */
void output_inputs_add(OutputInputs *inputs, const char *name, const char *path);

/* Whether `path` can become a file of that kind (io/file_kind.h), and is none of the command's
 * inputs. An input error names the file in the way, a run-time error the reason why nothing can be
 * written. To be asked before the work, and again if the command has made files meanwhile; writing
 * the file asks once more. */
bool output_check(const char *path, FileKind kind, const OutputInputs *inputs, Error *error);

/* Writes a text file, whole or not at all: the beginning of its kind, then the text that
 * write(stream, context) prints. */
bool output_text(const char *path, FileKind kind, void (*write)(FILE *to, const void *context),
                 const void *context, Error *error);

/* Writes a file of these bytes, whole or not at all. */
bool output_bytes(const char *path, FileKind kind, const void *bytes, size_t size, Error *error);

/* `path` with `ending` instead of ".csv", or behind the path if that ends otherwise. Caller
 * frees. */
char *output_sibling(const char *path, const char *ending);
