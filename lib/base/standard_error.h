/* Lines on stderr that cannot hold the program up.
 *
 * Stderr may be a pipe that nobody reads: that of a script, say, which waits for the program to end
 * first. Such a pipe is full after 64 KiB, some hours of progress, and a plain write waits until
 * somebody reads. These functions look first whether stderr takes a line, and drop the line if it
 * does not.
 *
 * Stderr stays a blocking descriptor: O_NONBLOCK would hold for all processes that share it. A line
 * longer than PIPE_BUF (4096 bytes) is cut, since only shorter ones are sure to fit where there is
 * room at all.
 */
#pragma once

#include <stdbool.h>

/* Drops every line from now on, or no longer: of several processes that work together one speaks
 * (base/group.h). */
void standard_error_mute(bool mute);

/* Writes the text if stderr takes it at once. Returns whether stderr did. */
bool standard_error_offer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, but waits for a reader for up to two seconds: for a line that is worth a moment, an
 * error message say. A signal ends the wait. */
bool standard_error_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
