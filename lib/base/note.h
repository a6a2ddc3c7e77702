/* Notes: lines for the user that report no error, such as a file that was left out, or a slower way
 * that was taken.
 *
 * The library prints nothing. It calls note(), and the program decides where the line goes.
 */
#pragma once

/* From now on `show` is called with every note, one line without a newline. NULL, the initial
 * state: notes are dropped. To be called before other threads use the library. */
void note_show(void (*show)(const char *line));

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
