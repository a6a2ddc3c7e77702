/* How long an idle thread keeps its core: less than a millisecond, unless the user says otherwise.
 *
 * A thread that waits for the others of its team spins at first. On a machine with other work
 * to do, it takes the core from the very thread that it waits for, and a step of training takes
 * several times as long. docs/performance.md has the figures. */
#pragma once

/* To be called first in main(), with its argv. Sets the environment variables of OpenMP's
 * libraries and executes the program once more, since the libraries read their variables before
 * main() begins. Process, arguments, open files and the mask of signals stay as they are.
 * Returns where nothing is to be done, because the user has set one of the variables or because
 * this is the second time, and where the program can't be executed again: then threads spin as
 * long as the library has it. */
void idle_threads_sleep(char **argv);
