/* Lets idle threads sleep within a millisecond, unless the user has set another time.
 *
 * A thread that waits for the others of its team spins at first. On a machine with other work to
 * do, it takes the core from the very thread that it waits for, and a step of training takes
 * several times as long. docs/performance.md has the figures. */
#pragma once

/* To be called first in main(), with its argv. Sets the environment variables of OpenMP's libraries
 * and executes the program once more, since the libraries read their variables before main()
 * begins. Process, arguments, open files and the mask of signals stay as they are. Returns if one
 * of the variables is set, by the user or by the first call, and if the program cannot be executed
 * again: then threads spin for the library's own time. */
void idle_threads_sleep(char **argv);
