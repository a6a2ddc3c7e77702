/* Asks poll whether stderr has room, and hands over each text in one write. */
#include "base/standard_error.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Milliseconds. */
enum { PATIENCE = 2000 };

static bool is_mute;

void standard_error_mute(bool mute)
{
    is_mute = mute;
}

/* A pipe without a reader counts as ready: the write fails, and SIGPIPE comes. A file is always
 * ready. */
static bool write_within(int milliseconds, const char *format, va_list arguments)
{
    char text[PIPE_BUF];
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (is_mute)
        return true;
    if (poll(&out, 1, milliseconds) <= 0)
        return false;
    if (vsnprintf(text, sizeof text, format, arguments) >= (int)sizeof text)
        text[sizeof text - 2] = '\n';
    return write(STDERR_FILENO, text, strlen(text)) >= 0;
}

bool standard_error_offer(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const bool taken = write_within(0, format, arguments);
    va_end(arguments);
    return taken;
}

bool standard_error_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const bool taken = write_within(PATIENCE, format, arguments);
    va_end(arguments);
    return taken;
}
