/* Errors: one line that a user can act on.
 *
 * A function that can fail takes an `Error *` as its last argument and returns bool: true when
 * done, false with the error filled in. The setters return false, so that a failing function ends
 * in `return error_input(error, ...)`. The library does not print errors and does not exit; the
 * programs do both, in one place. (Small allocations are an exception: base/memory.h.)
 *
 * A message names the file, the line or key, and what was expected:
 *     configs/quick.yaml:7: stage1.batch: expected an integer from 1 to 65536, got "many"
 */
#pragma once

#include <stdbool.h>

/* The values are the exit codes of the programs. */
typedef enum ErrorKind {
    ERROR_NONE = 0,
    /* The machine failed: disk full, no memory, a loss that is not finite. */
    ERROR_RUNTIME = 1,
    /* The user can mend it: a command line, a configuration, a file. */
    ERROR_INPUT = 2,
} ErrorKind;

typedef struct Error {
    ErrorKind kind;
    /* One line without a newline at its end. */
    char message[1024];
    /* Whether it says that something is not there, which some callers can do without. */
    bool is_absence;
} Error;

bool error_runtime(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_input(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An input error that is_absence. */
bool error_absent(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "context: " before the message of an error that is set, or more text after it. Both return
 * false. */
bool error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_add(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes one printable line of a text that quotes a file: control characters become '?'. Messages of
 * errors have gone through it. */
void error_one_line(char *text);
