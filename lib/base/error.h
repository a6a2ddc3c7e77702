/* Errors: what went wrong, in one line a user can act on.
 *
 * A function that can fail takes an `Error *` as its last argument and returns
 * bool: true when done, false with the error filled in. Both setters return
 * false, so that a failing function ends in `return error_input(error, ...)`.
 * The library does not print errors and does not exit (but where no memory is left
 * for small things, memory.h): the programs do both, in one place.
 *
 * A message names the file, the line or key, and what was expected:
 *     configs/quick.yaml:7: stage1.batch: expected an integer from 1 to 65536, got "many"
 */
#pragma once

#include <stdbool.h>

/* The values are the exit codes of the programs. */
typedef enum ErrorKind {
    ERROR_NONE = 0,
    ERROR_RUNTIME = 1, /* the machine failed: disk full, no memory, a loss that is not finite */
    ERROR_INPUT = 2,   /* the user can mend it: a command line, a configuration, a file */
} ErrorKind;

typedef struct Error {
    ErrorKind kind;
    char message[1024]; /* one line, no newline at its end */
} Error;

bool error_runtime(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_input(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the message of an error already set, or more text after it; both return
 * false. */
bool error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_add(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
