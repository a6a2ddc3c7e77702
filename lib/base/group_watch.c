/* The calls are counted twice, when they begin and when they end: an odd number means that a call
 * lasts. The thread looks at the number twenty times a second. */
#include "base/group_watch.h"

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

void group_watch_enter(void)
{
    atomic_fetch_add(&count, 1);
}

void group_watch_leave(void)
{
    atomic_fetch_add(&count, 1);
}

static void speak(void)
{
    if (!may_speak())
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
