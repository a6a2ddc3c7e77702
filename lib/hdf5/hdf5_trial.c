/* The trial: a forked child walks through the file and reads it; the parent watches its memory and
 * waits for its verdict.
 *
 * The child writes one byte to a pipe when it has come to its end. If the pipe closes without it,
 * the child has died.
 */
#include "hdf5/hdf5_trial.h"

#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* -- In the child: everything is read, and no result matters ----------------------------------- */

enum {
    BLOCK_BYTES = 1 << 24,
    /* Bytes to read of an array that is stored as it is. */
    A_FEW_BYTES = 1 << 16,
};

static bool go_on(void *context, const void *values, int64_t count)
{
    (void)context;
    (void)values;
    (void)count;
    hdf5_trial_goes_on();
    return true;
}

/* Reads rows of an open data set that has passed all checks, up to `limit` bytes. */
static void try_rows(const Hdf5File *file, const char *name, hid_t dataset, hid_t type, int rank,
                     const int64_t *dims, int64_t limit)
{
    int64_t row = 8; /* the largest number */
    for (int i = 1; i < rank; i++)
        row *= dims[i];
    if (row < 1 || row > BLOCK_BYTES)
        return;
    Error unused;
    (void)hdf5_read_blocks(&(Hdf5Blocks){.file = file,
                                         .name = name,
                                         .dataset = dataset,
                                         .type = type,
                                         .rank = rank,
                                         .dims = dims,
                                         .rows = limit / row < dims[0] ? limit / row + 1 : dims[0],
                                         .bytes = BLOCK_BYTES,
                                         .visit = go_on},
                           &unused);
}

/* Of an array that is stored as it is, a few numbers are enough: they show whether its type can be
 * converted. */
static void try_array(const Hdf5File *file, const char *name, hid_t dataset, Hdf5Type type,
                      hid_t memory_type)
{
    Error unused;
    double scalar;
    int rank;
    int64_t dims[HDF5_MAX_RANK];
    if (!hdf5_check_opened(file, name, dataset, type, &rank, dims, &unused))
        return;
    hid_t creation = H5Dget_create_plist(dataset);
    const bool all = hdf5_is_read_in_trial(creation);
    H5Pclose(creation);
    if (rank == 0)
        H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &scalar);
    else if (dims[0] > 0)
        try_rows(file, name, dataset, memory_type, rank, dims,
                 all ? HDF5_TRIAL_LIMIT : A_FEW_BYTES);
}

static void try_dataset(Hdf5File *file, const char *name, hid_t dataset)
{
    Error unused;
    char *text = NULL;
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);
    const size_t size = H5Tget_size(type);
    H5Tclose(type);
    if (class == H5T_FLOAT)
        try_array(file, name, dataset, HDF5_FLOAT64,
                  size == sizeof(double) ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT);
    else if (class == H5T_INTEGER)
        try_array(file, name, dataset, HDF5_INT64, size == 1 ? H5T_NATIVE_UINT8 : H5T_NATIVE_INT64);
    else if (hdf5_read_string(file, name, &text, &unused))
        memory_free(text);
}

/* The object whose attributes try_attribute reads. */
typedef struct Object {
    Hdf5File *file;
    const char *name;
} Object;

static herr_t try_attribute(hid_t id, const char *attribute, const H5A_info_t *info, void *data)
{
    (void)id;
    (void)info;
    Error unused;
    const Object *object = data;
    int64_t integer;
    double number;
    char *text = NULL;
    (void)hdf5_read_attribute_int(object->file, object->name, attribute, &integer, &unused);
    (void)hdf5_read_attribute_double(object->file, object->name, attribute, &number, &unused);
    if (hdf5_read_attribute_string(object->file, object->name, attribute, &text, &unused))
        memory_free(text);
    return 0;
}

/* The walk over all objects. The library's own walk (H5Ovisit) would end at the first failure. */
typedef struct Walk {
    Hdf5File *file;
    /* [count]: the addresses of objects that were read, since an object may have several names, and
     * groups may lie in one another. */
    haddr_t *seen;
    size_t count;
} Walk;

static bool is_new(Walk *walk, hid_t id)
{
#if H5_VERSION_GE(1, 12, 0)
    H5O_info1_t info;
#else
    H5O_info_t info; /* the same, before it had a number */
#endif
    if (H5Oget_info2(id, &info, H5O_INFO_BASIC) < 0)
        return false;
    for (size_t i = 0; i < walk->count; i++)
        if (walk->seen[i] == info.addr)
            return false;
    walk->seen = memory_grow(walk->seen, walk->count + 1, sizeof *walk->seen);
    walk->seen[walk->count++] = info.addr;
    return true;
}

/* The names in a group, as far as the library can list them. */
typedef struct Names {
    char **items;
    size_t count;
} Names;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    Names *names = data;
    names->items = memory_grow(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = memory_string(name);
    return 0;
}

static void walk_from(Walk *walk, const char *path);

static void walk_group(Walk *walk, const char *path, hid_t id)
{
    Names names = {0};
    H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &names);
    for (size_t i = 0; i < names.count; i++) {
        char *below = memory_format("%s/%s", strcmp(path, "/") == 0 ? "" : path, names.items[i]);
        walk_from(walk, below);
        memory_free(below);
        memory_free(names.items[i]);
    }
    memory_free(names.items);
}

static void walk_from(Walk *walk, const char *path)
{
    hid_t id = H5Oopen(walk->file->id, path, walk->file->access);
    if (id < 0)
        return;
    if (is_new(walk, id)) {
        hdf5_trial_goes_on();
        Object object = {.file = walk->file, .name = path};
        H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, try_attribute, &object);
        if (H5Iget_type(id) == H5I_DATASET)
            try_dataset(walk->file, path, id);
        else if (H5Iget_type(id) == H5I_GROUP)
            walk_group(walk, path, id);
    }
    H5Oclose(id);
}

/* Seconds of processor time for one part of the work; 0: this process is no child. */
static int child_patience;

/* Kills the child when a part takes longer. RLIMIT_CPU would not do: the system compares it with ticks
 * of the clock, which on a busy machine count up to twice the time that the child has had. */
static timer_t child_timer;

void hdf5_trial_goes_on(void)
{
    const struct itimerspec part = {.it_value = {.tv_sec = child_patience}};
    if (child_patience > 0)
        timer_settime(child_timer, 0, &part, NULL);
}

static void start_timer(int patience)
{
    struct sigevent kill_us = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &kill_us, &child_timer) == 0)
        child_patience = patience;
    hdf5_trial_goes_on();
}

/* The user's limit on processor time (ulimit -t) is the program's, not the child's. */
static void lift_time_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CPU, &limit);
}

/* Prepares the child to crash at once on a bad access: freed and fresh memory is filled with bytes
 * that are no valid address, and HDF5's free lists are switched off. The child dies with its parent
 * (PR_SET_PDEATHSIG) and ignores the signals that stop a program. */
static void prepare_child(int patience)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    const struct rlimit no_core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], SIG_DFL);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        signal(stops[i], SIG_IGN);
    setrlimit(RLIMIT_CORE, &no_core);
    lift_time_limit();
    start_timer(patience);
    mallopt(M_PERTURB, 0xA5);
    H5set_free_list_limits(0, 0, 0, 0, 0, 0);
    H5garbage_collect();
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        (void)dup2(nowhere, STDERR_FILENO); /* the C library prints when it aborts */
}

void hdf5_trial_read(void *path)
{
    /* Objects that the programs open by name, in case a damaged group hides them from the walk from
     * the root. */
    static const char *const places[] = {"/",
                                         "/config",
                                         "/trunk",
                                         "/trunk_ema",
                                         "/heads",
                                         "/heads_ema",
                                         "/optimizer",
                                         "/time_bins",
                                         "/fit",
                                         "/least_squares",
                                         "/analytic",
                                         "/analytic/ms_eps",
                                         "/analytic/ms_eps_diag",
                                         "/images",
                                         "/x",
                                         "/t",
                                         "/x_T",
                                         "/noise",
                                         "/eps",
                                         "/costs"};
    Error unused;
    Hdf5File *file = NULL;
    if (!hdf5_open_untried(&file, path, &unused))
        return;
    Walk walk = {.file = file};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        walk_from(&walk, places[i]);
    memory_free(walk.seen);
    hdf5_close(file);
}

static _Noreturn void run_child(int patience, void (*work)(void *context), void *context,
                                int verdict)
{
    prepare_child(patience);
    work(context);
    ssize_t written = write(verdict, "", 1);
    _exit(written == 1 ? 0 : 1); /* exit() would flush the parent's open streams again */
}

/* -- In the parent ----------------------------------------------------------------------------- */

/* Bytes of memory in use by a process; -1: the system does not say. */
static int64_t resident(pid_t process)
{
    char path[64], text[128] = "";
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)process);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    const char *second = length > 0 ? strchr(text, ' ') : NULL; /* in pages */
    return second ? strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE) : -1;
}

/* Kills the child if it takes more than `most` bytes of memory: a file of some kilobytes can claim
 * that a table in it has gigabytes, which the library fills with zeros. A limit by the system
 * (RLIMIT_AS) would not do: the child would get an error and live, and then the parent would fill
 * the gigabytes. */
static void watch(pid_t child, int verdict, int64_t most)
{
    struct pollfd waiting = {.fd = verdict, .events = POLLIN};
    const int milliseconds = 20;
    while (poll(&waiting, 1, milliseconds) <= 0)
        if (resident(child) > most)
            kill(child, SIGKILL);
}

/* Whether the child came to its end. The pipe tells, because the status of a child is lost where
 * SIGCHLD is ignored. */
static bool await(pid_t child, int verdict)
{
    char byte;
    ssize_t got;
    while ((got = read(verdict, &byte, 1)) < 0 && errno == EINTR)
        continue;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return got == 1;
}

static int64_t most_memory(const char *path)
{
    struct stat status = {0};
    (void)stat(path, &status);
    const int64_t ours = resident(getpid()); /* which the child shares */
    return (ours > 0 ? ours : 0) + (int64_t)HDF5_TRIAL_MEGABYTES * 1000000 + 2 * status.st_size;
}

static bool is_wanted = true;

bool hdf5_trial_wanted(bool wanted)
{
    const bool before = is_wanted;
    is_wanted = wanted;
    return before;
}

bool hdf5_trial(const char *path, int patience, void (*work)(void *context), void *context,
                Error *error)
{
#ifdef VARHEAD_NO_TRIAL /* fuzzing, which is a hundred times as fast without and looks for the library's crashes */
    return true;
#endif
    int verdict[2];
    if (!is_wanted)
        return true;
    if (pipe2(verdict, O_CLOEXEC) != 0)
        return error_runtime(error, "%s: cannot be tried out: %s", path, strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        close(verdict[0]);
        run_child(patience, work, context, verdict[1]);
    }
    close(verdict[1]);
    if (child > 0)
        watch(child, verdict[0], most_memory(path));
    bool survived = child < 0 /* no process can be made; reading may still work */
                    || await(child, verdict[0]);
    close(verdict[0]);
    if (survived)
        return true;
    return error_input(
        error, "%s: is a damaged HDF5 file, on which the HDF5 library crashes or hangs", path);
}
