/* Lines about choices that a file of another program did not settle: no guess is silent. They are
 * shown after all went well, so that a refusal is one line. */
#pragma once

enum { FOREIGN_MOST_NOTES = 8 };

typedef struct ForeignNotes {
    char *lines[FOREIGN_MOST_NOTES];
    int count;
} ForeignNotes;

void foreign_note(ForeignNotes *notes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Gives all lines to note(). */
void foreign_notes_show(const ForeignNotes *notes);
void foreign_notes_free(ForeignNotes *notes);
