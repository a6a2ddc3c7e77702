/* Makes idle threads of OpenMP sleep soon, by the environment variables of its libraries.
 *
 * gcc's library spins some milliseconds before a thread sleeps, clang's 200 ms. Both read the time
 * from environment variables, gcc's before main() begins, and no function call sets it in both. So
 * the program sets the variables and executes itself, which takes a few milliseconds. The second
 * time the variables are set, so there is no third.
 *
 * The time is a compromise. Waking a sleeping thread for every loop costs small networks a few per
 * cent. Loops follow one another within microseconds, so a thread that has waited for most of a
 * millisecond waits for one that has no core. */
#include "base/idle_threads.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* gcc's library counts turns of its loop, each of one `pause` instruction: 15 to 70 ns. It prefers
 * its own variable to the common one, which then acts on clang's library alone. */
static const char *const settings[][2] = {
    {"GOMP_SPINCOUNT", "10000"},
    {"OMP_WAIT_POLICY", "passive"},
};
static const char *const others[] = {"KMP_BLOCKTIME", "KMP_LIBRARY"};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static bool is_set(void)
{
    for (size_t i = 0; i < LENGTH(settings); i++)
        if (getenv(settings[i][0]))
            return true;
    for (size_t i = 0; i < LENGTH(others); i++)
        if (getenv(others[i]))
            return true;
    return false;
}

/* The path that the kernel was given for this program. NULL if executing it would not lead here
 * again: the program was started through the dynamic linker as a command (then the kernel has
 * loaded no interpreter) or by valgrind. */
static const char *own_path(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (getauxval(AT_BASE) == 0 || (preloaded && strstr(preloaded, "vgpreload")))
        return NULL;
    return (const char *)getauxval(AT_EXECFN);
}

void idle_threads_sleep(char **argv)
{
    const char *path = own_path();
    if (is_set() || !path)
        return;
    for (size_t i = 0; i < LENGTH(settings); i++)
        if (setenv(settings[i][0], settings[i][1], 1) != 0)
            return;
    execv(path, argv);
}
