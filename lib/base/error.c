/* Fills in an Error: the message is formatted into its fixed buffer and kept to one line.
 *
 * The buffer is part of the struct, so reporting an error allocates nothing and cannot fail. A
 * message that is too long is cut. Messages quote files and command lines, which may hold any
 * bytes. Control characters become '?', so that a message is one line and sends no escape sequences
 * to a terminal (the bytes C2 80 to C2 9F are control characters in UTF-8). */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f))
            *c = '?';
    }
}

static void set(Error *error, ErrorKind kind, const char *format, va_list arguments)
{
    error->kind = kind;
    error->is_absence = false;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    error_one_line(error->message);
}

bool error_runtime(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, ERROR_RUNTIME, format, arguments);
    va_end(arguments);
    return false;
}

bool error_input(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, ERROR_INPUT, format, arguments);
    va_end(arguments);
    return false;
}

bool error_absent(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, ERROR_INPUT, format, arguments);
    va_end(arguments);
    error->is_absence = true;
    return false;
}

bool error_prefix(Error *error, const char *format, ...)
{
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);

    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, ": %s", message);
    error_one_line(error->message);
    return false;
}

bool error_add(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t used = strlen(error->message);
    vsnprintf(error->message + used, sizeof error->message - used, format, arguments);
    va_end(arguments);
    error_one_line(error->message);
    return false;
}
