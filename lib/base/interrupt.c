/* The handler of signals sets flags, which are lock-free atomics: it may run on any thread, at any
 * moment. */
#include "base/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIGNAL_EXIT_BASE = 128 };

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler needs lock-free atomics");
/* The first signal; 0: none. */
static atomic_int received;
/* Whether the signal that counts is `agreed`, and not `received`. */
static bool is_shared;
static int agreed;
/* How many signals were SIGINT or SIGTERM. */
static atomic_int insisted;
/* Whether the program waits for somebody else (interrupt_wait_begin). */
static atomic_int waiting;

/* The signals that ask a program to stop. */
static const struct {
    int signal;
    const char *name;
    /* Whether it is handled even if it was ignored before: shells ignore SIGINT for the background
     * jobs of a script. */
    bool always;
} stops[] = {
    {SIGINT, "SIGINT", true},    {SIGTERM, "SIGTERM", true},  {SIGHUP, "SIGHUP", false},
    {SIGPIPE, "SIGPIPE", false}, {SIGUSR1, "SIGUSR1", false}, {SIGUSR2, "SIGUSR2", false},
    {SIGXCPU, "SIGXCPU", false},
};
enum { STOPS = sizeof stops / sizeof stops[0] };

/* Only SIGINT and SIGTERM count as a second request. The others come twice by themselves: SIGHUP
 * from the terminal and from its shell, SIGPIPE at every write, SIGXCPU every second. */
static void handle(int signal)
{
    int none = 0;
    atomic_compare_exchange_strong(&received, &none, signal);
    const bool insists =
        (signal == SIGINT || signal == SIGTERM) && atomic_fetch_add(&insisted, 1) > 0;
    if (insists || (atomic_load(&waiting) && signal != SIGPIPE))
        _exit(SIGNAL_EXIT_BASE + signal);
}

/* Lowers the soft limit on processor time, at which SIGXCPU comes. At the hard limit the process is
 * killed, and `ulimit -t` sets both to the same value. */
static void warn_before_cpu_limit(void)
{
    enum { LONGEST = 60 }; /* seconds of processor time, of all threads together */
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_cur < limit.rlim_max)
        return;
    const rlim_t tenth = (limit.rlim_max + 9) / 10;
    limit.rlim_cur = limit.rlim_max - (tenth < LONGEST ? tenth : LONGEST);
    if (limit.rlim_cur > 0)
        (void)setrlimit(RLIMIT_CPU, &limit);
}

void interrupt_install(void)
{
    /* SA_RESTART: a signal must not make the write of a checkpoint fail half-way. */
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < STOPS; i++)
        if (stops[i].always ||
            (sigaction(stops[i].signal, NULL, &old) == 0 && old.sa_handler != SIG_IGN))
            sigaction(stops[i].signal, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
    warn_before_cpu_limit();
}

void interrupt_wait_begin(void)
{
    atomic_store(&waiting, 1);
    if (interrupt_received()) /* a signal came before `waiting` was set */
        _exit(SIGNAL_EXIT_BASE + interrupt_received());
}

void interrupt_wait_end(void)
{
    atomic_store(&waiting, 0);
}

int interrupt_received(void)
{
    return atomic_load(&received);
}

void interrupt_share(void)
{
    is_shared = true;
}

void interrupt_agree(int signal)
{
    if (agreed == 0)
        agreed = signal;
}

int interrupt_requested(void)
{
    return is_shared ? agreed : interrupt_received();
}

const char *interrupt_name(void)
{
    for (int i = 0; i < STOPS; i++)
        if (stops[i].signal == interrupt_requested())
            return stops[i].name;
    return "no signal";
}

int interrupt_exit_code(void)
{
    int signal = interrupt_requested();
    return signal != 0 ? SIGNAL_EXIT_BASE + signal : 0;
}

bool interrupt_continues(Error *error)
{
    if (!interrupt_requested())
        return true;
    return error_runtime(error, "stopped by %s, nothing was written", interrupt_name());
}

bool interrupt_continues_alone(Error *error)
{
    if (is_shared)
        interrupt_agree(interrupt_received()); /* 0 changes nothing */
    return interrupt_continues(error);
}
