/* Keeps lines until they are shown. */
#include "exchange/foreign_notes.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/note.h"

#include <stdarg.h>
#include <stdio.h>

void foreign_note(ForeignNotes *notes, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    error_one_line(line);
    if (notes->count < FOREIGN_MOST_NOTES)
        notes->lines[notes->count++] = memory_string(line);
}

void foreign_notes_show(const ForeignNotes *notes)
{
    for (int i = 0; i < notes->count; i++)
        note("%s", notes->lines[i]);
}

void foreign_notes_free(ForeignNotes *notes)
{
    for (int i = 0; i < notes->count; i++)
        memory_free(notes->lines[i]);
    *notes = (ForeignNotes){0};
}
