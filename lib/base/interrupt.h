/* Signals that ask a program to stop: at the next good moment, or at once when asked twice.
 *
 * The first signal only sets a flag. Loops look at it between steps, save what they have, and the
 * program ends with interrupt_exit_code(). A second SIGINT or SIGTERM ends the process there and then, and
 * so does the first of any kind while the program waits for somebody else (interrupt_wait_begin).
 *
 *   SIGINT, SIGTERM    somebody stops the program
 *   SIGHUP             its terminal is gone
 *   SIGPIPE            who read what it prints is gone
 *   SIGUSR1, SIGUSR2   a scheduler says that the time is nearly over (Slurm, LSF)
 *   SIGXCPU            the limit on processor time (ulimit -t) is reached
 *
 * But for the first two a signal that is ignored when the program starts stays so (nohup).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Installs the handlers; once, at the start of main(). Also makes a write beyond the file size
 * limit (RLIMIT_FSIZE) an ordinary error, as on a full disk, instead of a signal that kills, and has SIGXCPU
 * come some time before the hard limit, which kills. */
void interrupt_install(void);

/* Between these two a signal ends the process at once: there is nothing to save, and what the program
 * waits for (a pipe that nobody writes to) may never come. */
void interrupt_wait_begin(void);
void interrupt_wait_end(void);

/* 0, or the signal received: the first of those above. */
int interrupt_requested(void);

/* False once a signal has come, with an error that says so: for loops whose work is lost when they end early. */
bool interrupt_continues(Error *error);

/* Its name, "SIGINT". */
const char *interrupt_name(void);

/* What a shell expects of a program stopped by that signal: 128 and its number, 130 for SIGINT; 0 if
 * there was none. */
int interrupt_exit_code(void);
