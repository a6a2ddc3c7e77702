/* Calls of the system that every program makes at its start and at its end. */
#include "base/program.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/memory_limit_start.h"
#include "base/standard_error.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Opens /dev/null for each closed stream: a new descriptor gets the lowest free number. Without
 * /dev/null (in a bare chroot) the number goes to a directory, which can be neither read nor
 * written. */
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        int opened = open("/dev/null", O_RDWR); /* never closed */
        if (opened < 0)
            opened = open("/", O_RDONLY | O_DIRECTORY);
        (void)opened;
    }
}

static void say_out_of_memory(size_t count, size_t size)
{
    fprintf(stderr, "varhead: out of memory (%zu x %zu bytes)\n", count, size);
}

void program_start(void)
{
    memory_keep_freed();
    memory_limit_start();
    memory_at_end(say_out_of_memory);
    open_standard_streams();
    interrupt_install();
}

/* A reader that has stopped reading may block this for ever; then a signal ends the program, whose
 * work is done. */
static bool flush_output(void)
{
    const bool stopped = interrupt_requested() != 0;
    if (!stopped)
        interrupt_wait_begin();
    const bool ok = fflush(stdout) == 0 && !ferror(stdout);
    interrupt_wait_end();
    return ok;
}

int program_end(const char *name, bool done, Error *error)
{
    if (done && !flush_output() && interrupt_requested() != SIGPIPE)
        done = error_runtime(error, "standard output cannot be written: %s", strerror(errno));
    if (!done)
        standard_error_say("%s: %s\n", name, error->message);
    if (interrupt_requested())
        return interrupt_exit_code();
    return done ? 0 : (int)error->kind;
}

void program_set_threads(int wanted)
{
    int threads = wanted > 0 ? wanted : omp_get_max_threads(), limit = omp_get_thread_limit();
    omp_set_dynamic(0);
    omp_set_num_threads(threads < limit ? threads : limit);
}
