/* A group of processes by MPI. This file alone knows of MPI.
 *
 * The launcher shows itself by variables of the environment. Without one of them MPI is not
 * initialised, which would take a tenth of a second and leave threads and files behind.
 *
 * A process that waits for another one sleeps: the cores may be needed by the others' threads. MPI
 * itself would spin. So `largest`, the call before each long exchange, looks for its result again
 * and again and sleeps meanwhile, 50 us at first and a millisecond at most.
 *
 * The end has a communicator of its own. So a process that fails anywhere can meet those that have
 * come to their ends, and cannot be mistaken for one that takes part in a sum. So have the two
 * movements of bytes that go on meanwhile: each process may begin them at a time of its own between
 * the other calls.
 *
 * MPI's counts are ints, so long arrays go in pieces.
 */
#include "base/group_mpi.h"

#include <stdlib.h>

/* Of Open MPI, of PMIx (srun --mpi=pmix), of MPICH and of srun --mpi=pmi2. */
static const char *const launched[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"};

static bool is_launched(void)
{
    for (size_t i = 0; i < sizeof launched / sizeof launched[0]; i++)
        if (getenv(launched[i]))
            return true;
    return false;
}

#ifndef VARHEAD_MPI

/* How many processes a launcher says that there are; 1 if it says nothing. */
static int launched_size(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    size = size ? size : getenv("PMI_SIZE");
    return size ? atoi(size) : 1;
}

bool group_mpi_start(Error *error)
{
    return !is_launched() || launched_size() <= 1 ||
           error_input(error,
                       "started as one of %d processes, but built without MPI; install Open MPI "
                       "(apt-get install libopenmpi-dev) and run make again",
                       launched_size());
}

bool group_mpi_is_running(void)
{
    return false;
}

bool group_mpi_end(const char *program, bool done, Error *error)
{
    (void)program;
    (void)error;
    return done;
}

int group_mpi_status(int code)
{
    return code;
}

#else

#include "base/clock.h"
#include "base/group_watch.h"
#include "base/group_way.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/standard_error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Elements, or bytes, of one call. */
enum { PIECE = 1 << 28 };

static MPI_Comm ends = MPI_COMM_NULL, deals = MPI_COMM_NULL, spreads = MPI_COMM_NULL;
static bool is_running;

/* -- Waiting ---------------------------------------------------------------------------------- */

/* Waits until the request is complete, for so many seconds at most. */
static bool await(MPI_Request *request, double patience)
{
    const double begin = clock_seconds();
    const long shortest = 50000, longest = 1000000; /* nanoseconds */
    long pause = shortest;
    for (;;) {
        int complete = 0;
        MPI_Test(request, &complete, MPI_STATUS_IGNORE);
        if (complete)
            return true;
        const double waited = clock_seconds() - begin;
        if (waited > patience)
            return false;
        if (waited < (double)shortest * 1e-9)
            continue;
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
        pause = pause * 2 < longest ? pause * 2 : longest;
    }
}

static const double for_ever = 1e18;

static GroupWay way;

/* -- The death of a process -------------------------------------------------------------------- */

/* Where a signal reaches a process: the number of the process, and the machine and the name space of
 * numbers in which the number holds. */
typedef struct Address {
    pid_t id;
    ino_t names;
    char machine[HOST_NAME_MAX + 1];
} Address;

/* [size]: the numbers of the processes; 0: of a process that can't be reached. */
static pid_t *reached;

static Address own_address(void)
{
    Address own = {.id = getpid()};
    struct stat names = {0};
    (void)gethostname(own.machine, sizeof own.machine - 1);
    (void)stat("/proc/self/ns/pid", &names);
    own.names = names.st_ino;
    return own;
}

static void meet_others(void)
{
    const Address own = own_address();
    const size_t size = (size_t)way.size;
    Address *all = memory_small(size, sizeof *all);
    reached = memory_small(size, sizeof *reached);
    MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE, MPI_COMM_WORLD);
    for (size_t r = 0; r < size; r++)
        if (all[r].names == own.names && strcmp(all[r].machine, own.machine) == 0)
            reached[r] = all[r].id;
    memory_free(all);
}

/* Of a process that can't be reached nothing is known. */
static bool is_dead(int rank)
{
    return reached[rank] > 0 && kill(reached[rank], 0) != 0 && errno == ESRCH;
}

static bool is_any_dead(void)
{
    for (int r = 0; r < way.size; r++)
        if (is_dead(r))
            return true;
    return false;
}

static bool are_all_reached(void)
{
    for (int r = 0; r < way.size; r++)
        if (reached[r] == 0)
            return false;
    return true;
}

/* What this process prints when a call has lasted `seconds` seconds after a signal; NULL: nothing. The first
 * process speaks, or the second one where the first is dead. The call may wait for a process that is
 * only slow. Whether a process of another machine is dead can't be asked: it counts as dead when the
 * call has lasted twice as long as any before. */
static const char *word_of_death(double seconds)
{
    if (way.rank > 0 && !is_dead(0))
        return NULL;
    if (is_any_dead())
        return "another process is dead; the same command goes on from what was saved last";
    if (are_all_reached() || seconds < 2 * group_watch_longest())
        return NULL;
    return "a signal came, and then no word from another process; if it is dead, the same command "
           "goes on from what was saved last";
}

static void tell_others(void)
{
    for (int r = 0; r < way.size; r++)
        if (r != way.rank && reached[r] > 0)
            group_watch_tell(reached[r]);
}

/* -- The way ---------------------------------------------------------------------------------- */

static int piece_of(size_t left)
{
    return left < PIECE ? (int)left : PIECE;
}

static void sum_floats(float *values, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Allreduce(MPI_IN_PLACE, values + at, piece_of(count - at), MPI_FLOAT, MPI_SUM,
                      MPI_COMM_WORLD);
}

static void sum_doubles(double *values, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Allreduce(MPI_IN_PLACE, values + at, piece_of(count - at), MPI_DOUBLE, MPI_SUM,
                      MPI_COMM_WORLD);
}

static void collect_doubles(double *values, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Reduce(way.rank == 0 ? MPI_IN_PLACE : values + at, way.rank == 0 ? values + at : NULL,
                   piece_of(count - at), MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
}

static void broadcast_in(MPI_Comm group, void *data, size_t bytes, int from)
{
    for (size_t at = 0; at < bytes; at += PIECE)
        MPI_Bcast((char *)data + at, piece_of(bytes - at), MPI_BYTE, from, group);
}

static void broadcast(void *data, size_t bytes, int from)
{
    broadcast_in(MPI_COMM_WORLD, data, bytes, from);
}

static void bring(void *data, size_t bytes, int from)
{
    for (size_t at = 0; at < bytes; at += PIECE)
        if (way.rank == 0)
            MPI_Recv((char *)data + at, piece_of(bytes - at), MPI_BYTE, from, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        else
            MPI_Send((char *)data + at, piece_of(bytes - at), MPI_BYTE, 0, 0, MPI_COMM_WORLD);
}

/* One broadcast for each process if the whole is too long for MPI's counts. */
static void gather(void *data, const size_t *starts)
{
    const size_t size = (size_t)way.size;
    char *bytes = data;
    if (starts[size] >= PIECE) {
        for (size_t r = 0; r < size; r++)
            broadcast(bytes + starts[r], starts[r + 1] - starts[r], (int)r);
        return;
    }
    int *counts = memory_small(2 * size, sizeof *counts);
    for (size_t r = 0; r < size; r++) {
        counts[r] = (int)(starts[r + 1] - starts[r]);
        counts[size + r] = (int)starts[r];
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, counts, counts + size, MPI_BYTE,
                   MPI_COMM_WORLD);
    memory_free(counts);
}

/* -- Bytes that move meanwhile ----------------------------------------------------------------- */

/* The arguments that MPI reads until the end. */
typedef struct Moving {
    MPI_Request request;
    int *counts;
} Moving;

/* counts [4, size]: bytes and places to send, and to receive. */
static void *deal(const void *from, const size_t *starts, void *to)
{
    const int size = way.size;
    Moving *moving = memory_small(1, sizeof *moving);
    int *counts = moving->counts = memory_small(4 * (size_t)size, sizeof *counts);
    const int own = (int)(starts[way.rank + 1] - starts[way.rank]);
    for (int r = 0; r < size; r++) {
        counts[r] = (int)(starts[r + 1] - starts[r]);
        counts[size + r] = (int)starts[r];
        counts[2 * size + r] = own;
        counts[3 * size + r] = r * own;
    }
    MPI_Ialltoallv(from, counts, counts + size, MPI_BYTE, to, counts + 2 * size, counts + 3 * size,
                   MPI_BYTE, deals, &moving->request);
    return moving;
}

static void *spread(void *data, const size_t *starts)
{
    const int size = way.size;
    Moving *moving = memory_small(1, sizeof *moving);
    int *counts = moving->counts = memory_small(2 * (size_t)size, sizeof *counts);
    for (int r = 0; r < size; r++) {
        counts[r] = (int)(starts[r + 1] - starts[r]);
        counts[size + r] = (int)starts[r];
    }
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, counts, counts + size, MPI_BYTE,
                    spreads, &moving->request);
    return moving;
}

/* Lets others have the core while it waits: they may be the ones that it waits for. */
static bool over(void *pointer, bool wait)
{
    Moving *moving = pointer;
    int complete = 0;
    MPI_Test(&moving->request, &complete, MPI_STATUS_IGNORE);
    while (wait && !complete) {
        sched_yield();
        MPI_Test(&moving->request, &complete, MPI_STATUS_IGNORE);
    }
    if (!complete)
        return false;
    memory_free(moving->counts);
    memory_free(moving);
    return true;
}

static int largest(int value)
{
    MPI_Request request;
    int result = value;
    MPI_Iallreduce(&value, &result, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &request);
    await(&request, for_ever);
    return result;
}

static GroupWay way = {
    .sum_floats = sum_floats,
    .sum_doubles = sum_doubles,
    .collect_doubles = collect_doubles,
    .broadcast = broadcast,
    .bring = bring,
    .gather = gather,
    .deal = deal,
    .spread = spread,
    .over = over,
    .largest = largest,
};

/* -- The start and the end -------------------------------------------------------------------- */

/* Output goes nowhere from now on. */
static void fall_silent(void)
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDOUT_FILENO);
        close(nowhere);
    }
    standard_error_mute(true);
}

bool group_mpi_start(Error *error)
{
    int provided;
    if (!is_launched())
        return true;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return error_runtime(error, "MPI cannot be initialised");
    is_running = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &way.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &way.size);
    MPI_Comm_dup(MPI_COMM_WORLD, &ends);
    MPI_Comm_dup(MPI_COMM_WORLD, &deals);
    MPI_Comm_dup(MPI_COMM_WORLD, &spreads);
    if (way.size == 1)
        return true;
    group_watch_listen();
    meet_others();
    if (way.rank <= 1)
        group_watch_start(word_of_death);
    group_use(&way);
    interrupt_share();
    if (way.rank > 0)
        fall_silent();
    return true;
}

bool group_mpi_is_running(void)
{
    return is_running;
}

/* Ends all processes, after the error of this one is printed, unless another one has done it. */
static void end_all(const char *program, const Error *error)
{
    if (!group_watch_is_told()) {
        standard_error_mute(false);
        standard_error_say("%s: %s%s\n", program, way.rank > 0 ? "on another process: " : "",
                           error->message);
        tell_others();
    }
    MPI_Abort(MPI_COMM_WORLD, (int)error->kind);
}

bool group_mpi_end(const char *program, bool done, Error *error)
{
    /* Seconds, for others that fail of the same error; and the later processes wait longer, so that
     * one of those that have failed ends all. */
    const double patience = 3 + fmin(0.2 * way.rank, 3);
    if (!is_running)
        return done;
    MPI_Request request;
    const int number = done ? 0 : way.size - way.rank;
    int failed = 0;
    MPI_Iallreduce(&number, &failed, 1, MPI_INT, MPI_MAX, ends, &request);
    if (!await(&request, done ? for_ever : patience))
        end_all(program, error);
    if (failed > 0)
        broadcast_in(ends, error, sizeof *error, way.size - failed);
    MPI_Comm_free(&ends);
    MPI_Comm_free(&deals);
    MPI_Comm_free(&spreads);
    MPI_Finalize();
    memory_free(reached);
    is_running = false;
    return failed == 0;
}

int group_mpi_status(int code)
{
    return way.rank == 0 ? code : 0;
}

#endif
