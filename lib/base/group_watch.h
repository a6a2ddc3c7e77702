/* A word for the case that a process waits for another one which is dead.
 *
 * A launcher that loses a process sends SIGTERM to the others, and kills them a second later. The
 * others wait for the dead process meanwhile, and cannot leave the call in which they wait. So a
 * thread watches: if a signal has come and one call has lasted 0.4 s since, the thread says that
 * the last checkpoint continues the run.
 */
#pragma once

#include <stdbool.h>

/* Starts the thread. `speaks` is asked from the thread whether this process is the one to print.
 * Without memory for a thread nothing is watched. */
void group_watch_start(bool (*speaks)(void));

/* Around each call that waits for other processes; pairs may not be nested. */
void group_watch_enter(void);
void group_watch_leave(void);
