/* The flag is a lock-free atomic: written by a handler that may run on any thread. */
#include "base/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum { SIGNAL_EXIT_BASE = 128 };

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler needs lock-free atomics");
static atomic_int received;

static void handle(int signal)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&received, &none, signal))
        _exit(SIGNAL_EXIT_BASE + signal);
}

void interrupt_install(void)
{
    /* SA_RESTART: a signal must not make the write of a checkpoint fail half-way. The handlers
     * are installed even where a shell script ignores SIGINT for its background jobs: being told
     * to stop means to save and stop, however the program was started. */
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    signal(SIGXFSZ, SIG_IGN);
}

int interrupt_requested(void)
{
    return atomic_load(&received);
}

const char *interrupt_name(void)
{
    return interrupt_requested() == SIGINT ? "SIGINT" : "SIGTERM";
}

int interrupt_exit_code(void)
{
    int signal = interrupt_requested();
    return signal != 0 ? SIGNAL_EXIT_BASE + signal : 0;
}
