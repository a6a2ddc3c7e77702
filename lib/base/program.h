/* The start and the end of a program: its streams, signals and threads, its exit code. */
#pragma once

#include "base/error.h"

/* The largest value of --threads: a larger one is a typing error. */
enum { PROGRAM_MAX_THREADS = 1024 };

/* The first call of a program. Standard streams that are closed become /dev/null: a file that got
 * the number of one would be read from or printed to. From here on signals are handled
 * (base/interrupt.h). May be called again. */
void program_start(void);

/* Sets the number of threads of parallel loops: `wanted`, or with 0 the number of cores, but never
 * more than OpenMP will really start. oneDNN's kernels wait for every thread that they were
 * promised: with OMP_DYNAMIC or OMP_THREAD_LIMIT in the environment they would wait for ever. */
void program_set_threads(int wanted);

/* Flushes the output and returns the exit code of main. Unless `done`, prints "name: message" on
 * stderr. If standard output could not be written, that is an error. After a signal the code is 128
 * plus its number. */
int program_end(const char *name, bool done, Error *error);
