/* A word for the case that a process waits for another one which is dead.
 *
 * A launcher that loses a process sends SIGTERM to the others, and kills them a second later. The
 * others wait for the dead process meanwhile, and cannot leave the call in which they wait. So a
 * thread watches: if a signal has come and one call has lasted 0.4 s since, the thread asks what is to
 * be said, and says it.
 *
 * A process that ends all of them with an error of its own tells the others on its machine, after it
 * has printed the error. They print nothing more.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Starts the thread. While such a call lasts, it calls word(seconds since the signal) twenty times a
 * second. The first text that is not NULL is printed behind the program's name. Without memory for a
 * thread nothing is watched. */
void group_watch_start(const char *(*word)(double seconds));

/* Lets others tell this process that the user knows already why all end. */
void group_watch_listen(void);

/* Tells that to process `id` of this machine, which listens. */
void group_watch_tell(pid_t id);

/* Whether another process has told it. */
bool group_watch_is_told(void);

/* Around each call that waits for other processes; pairs may not be nested. */
void group_watch_enter(void);
void group_watch_leave(void);

/* The seconds between all pairs so far, and between the two that were the farthest apart. */
double group_watch_seconds(void);
double group_watch_longest(void);
