/* Formats each note into one string, so that the program prints whole lines. */
#include "base/note.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static void (*shown_by)(const char *line);

void note_show(void (*show)(const char *line))
{
    shown_by = show;
}

void note(const char *format, ...)
{
    if (!shown_by)
        return;
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    error_one_line(line);
    shown_by(line);
}
