/* The ends of a program: what its directory needs at the start, what the shell is told at the end. */
#pragma once

#include "base/error.h"

enum { PROGRAM_MAX_THREADS = 1024 }; /* for --threads: beyond it must be a slip of the keyboard */

/* The first thing that a program does. Standard streams that are closed become /dev/null: a file that got their
 * number would be read from, printed to, or taken for closed. Signals are handled from here on
 * (base/interrupt.h). May be called again. */
void program_start(void);

/* How many threads parallel loops have from here on: `wanted`, 0 for as many as there are cores, but
 * never more than OpenMP will really start. oneDNN's kernels wait for every thread they were promised:
 * with OMP_DYNAMIC or OMP_THREAD_LIMIT in the environment they would wait for ever. */
void program_set_threads(int wanted);

/* Creates a directory and those above it, where they are missing. Run-time error if the system
 * refuses, input error if something else has the name. */
bool program_make_directory(const char *path, Error *error);

/* The exit code of main, all output done: prints "name: message" on stderr unless `done`, and makes an
 * error of a standard output that could not be written. After a signal 128 and its number. */
int program_end(const char *name, bool done, Error *error);
