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
static bool (*may_speak)(void);
/* When the call began that lasts, and how long all calls before it have lasted. */
static double entered, seconds;

void group_watch_enter(void)
{
    atomic_fetch_add(&count, 1);
    entered = clock_seconds();
}

void group_watch_leave(void)
{
    seconds += clock_seconds() - entered;
    atomic_fetch_add(&count, 1);
}

double group_watch_seconds(void)
{
    return seconds;
}

/* -- The word --------------------------------------------------------------------------------- */

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

static void speak(void)
{
    if (group_watch_is_told() || !may_speak())
        return;
    standard_error_mute(false);
    standard_error_say("%s: a signal came, and then no word from another process; if that process "
                       "is dead, the last checkpoint continues the run\n",
                       program_invocation_short_name);
}

static void *watch(void *unused)
{
    enum { ENOUGH = 8 }; /* looks, 0.4 s */
    const struct timespec pause = {.tv_nsec = 50000000};
    unsigned before = 0;
    for (int same = 0; same < ENOUGH;) {
        nanosleep(&pause, NULL);
        const unsigned now = atomic_load(&count);
        const bool lasts = now % 2 == 1 && now == before && interrupt_received();
        same = lasts ? same + 1 : 0;
        before = now;
    }
    speak();
    return unused;
}

void group_watch_start(bool (*speaks)(void))
{
    pthread_t thread;
    sigset_t all, old;
    may_speak = speaks;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread, NULL, watch, NULL) == 0)
        (void)pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}
