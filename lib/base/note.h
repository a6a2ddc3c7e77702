/* Lines for the user about something that is not an error: a file that was left out, a slower way that was taken.
 *
 * The library prints nothing. It calls note(), and the program decides where the line goes.
 */
#pragma once

/* Has `show` called with every note, one line without newline; NULL, as at the start: notes are dropped. To be
 * called before other threads use the library. */
void note_show(void (*show)(const char *line));

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
