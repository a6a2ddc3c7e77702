/* Signals that ask a program to stop: the first at the next good moment, the second at once.
 *
 * The first signal only sets a flag. Loops look at it between steps and save, and the program ends
 * with interrupt_exit_code(). A second SIGINT or SIGTERM ends the process at once. So does the
 * first signal of any kind while the program waits for another one (interrupt_wait_begin).
 *
 *   SIGINT, SIGTERM    a user or a system stops the program
 *   SIGHUP             its terminal is gone
 *   SIGPIPE            the reader of its output is gone
 *   SIGUSR1, SIGUSR2   a scheduler says that the time is nearly over (Slurm, LSF)
 *   SIGXCPU            the limit on processor time (ulimit -t) is reached
 *
 * A signal that is ignored when the program starts stays ignored (nohup), but for SIGINT and
 * SIGTERM.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Installs the handlers; once, at the start of main(). A write beyond the limit on file sizes
 * (RLIMIT_FSIZE) then is an ordinary error, as on a full disk, instead of a signal that kills.
 * SIGXCPU comes some time before the hard limit, which kills. */
void interrupt_install(void);

/* Between these two a signal ends the process at once: there is nothing to save, and the program
 * may wait for ever, as on a pipe that no program writes to. */
void interrupt_wait_begin(void);
void interrupt_wait_end(void);

/* The first signal received; 0: none. In a group of processes: the signal that they have agreed on. */
int interrupt_requested(void);

/* For processes that work together and have to stop together (base/group.h). After interrupt_share
 * a signal counts for interrupt_requested only when interrupt_agree has been called with it; the
 * first one stays. interrupt_received is the signal that came to this process. */
void interrupt_share(void);
int interrupt_received(void);
void interrupt_agree(int signal);

/* False once a signal has come, with a run-time error that says so: for loops whose work is lost
 * when they end early. */
bool interrupt_continues(Error *error);

/* The same for loops in which processes do not wait for each other: a signal to this process alone
 * counts, too. The error ends the others. */
bool interrupt_continues_alone(Error *error);

/* The name of that signal, "SIGINT". */
const char *interrupt_name(void);

/* The exit code that a shell expects after that signal: 128 plus its number, 130 for SIGINT; 0 if
 * there was none. */
int interrupt_exit_code(void);
