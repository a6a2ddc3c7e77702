/* SIGINT and SIGTERM: stop at the next good moment, or at once when asked twice.
 *
 * The first signal only sets a flag. Loops look at it between steps, save what they have, and the
 * program ends with interrupt_exit_code(). The second signal ends the process there and then.
 */
#pragma once

/* Installs the handlers; once, at the start of main(). Also makes a write beyond the file size
 * limit (RLIMIT_FSIZE) an ordinary error, as on a full disk, instead of a signal that kills. */
void interrupt_install(void);

/* 0, or the signal received: SIGINT or SIGTERM. */
int interrupt_requested(void);

/* "SIGINT" or "SIGTERM", after one was received. */
const char *interrupt_name(void);

/* What a shell expects of a program stopped by that signal: 130 or 143; 0 if there was none. */
int interrupt_exit_code(void);
