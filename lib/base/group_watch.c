/* The calls are counted twice, when they begin and when they end: an odd number means that a call
 * lasts. The thread looks at the number twenty times a second. */
#include "base/group_watch.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/standard_error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static atomic_uint count;
static const char *(*find_word)(double seconds);
/* When the call began that lasts; how long all calls before it have lasted, and the longest of them. */
static double entered, seconds;
static _Atomic double longest;

void group_watch_enter(void)
{
    atomic_fetch_add(&count, 1);
    entered = clock_seconds();
}

void group_watch_leave(void)
{
    const double lasted = clock_seconds() - entered;
    seconds += lasted;
    if (lasted > atomic_load(&longest))
        atomic_store(&longest, lasted);
    atomic_fetch_add(&count, 1);
}

double group_watch_seconds(void)
{
    return seconds;
}

double group_watch_longest(void)
{
    return atomic_load(&longest);
}

/* -- What another process tells --------------------------------------------------------------- */

static atomic_bool is_told;

/* A signal that no scheduler sends. */
static int telling_signal(void)
{
    return SIGRTMIN;
}

static void hear(int signal)
{
    (void)signal;
    atomic_store(&is_told, true);
}

void group_watch_listen(void)
{
    const struct sigaction hearing = {.sa_handler = hear, .sa_flags = SA_RESTART};
    sigaction(telling_signal(), &hearing, NULL);
}

void group_watch_tell(pid_t id)
{
    (void)kill(id, telling_signal());
}

bool group_watch_is_told(void)
{
    return atomic_load(&is_told);
}

/* -- The word --------------------------------------------------------------------------------- */

/* Says what is to be said, if there is something. */
static bool speak(double since)
{
    const char *word = group_watch_is_told() ? NULL : find_word(since);
    if (!word)
        return false;
    standard_error_mute(false);
    standard_error_say("%s: %s\n", program_invocation_short_name, word);
    return true;
}

static void *watch(void *unused)
{
    enum { LOOKS = 20, ENOUGH = 8 }; /* a second; of one call, 0.4 s */
    const struct timespec pause = {.tv_nsec = 1000000000 / LOOKS};
    unsigned before = 0;
    for (int same = 0; same < ENOUGH || !speak((double)same / LOOKS);) {
        nanosleep(&pause, NULL);
        const unsigned now = atomic_load(&count);
        const bool lasts = now % 2 == 1 && now == before && interrupt_received();
        same = lasts ? same + 1 : 0;
        before = now;
    }
    return unused;
}

void group_watch_start(const char *(*word)(double seconds))
{
    pthread_t thread;
    sigset_t all, old;
    find_word = word;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread, NULL, watch, NULL) == 0)
        (void)pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}
