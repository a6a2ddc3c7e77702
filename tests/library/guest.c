/* A program that uses the library as a guest would find it: it calls every function, rightly and
 * wrongly, and then looks whether its process is as it was. Run by tests/cli/library.sh:
 *
 *     guest RUN FILE DIRECTORY
 *
 * RUN has an sn head, FILE is its checkpoint, DIRECTORY is for what is written. Prints nothing
 * but what is wrong. */
#include <fcntl.h>
#include <hdf5.h>
#include <locale.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <varhead.h>

enum { COUNT = 3, STEPS = 4, SIGNALS = 65 };

static int problems;
static FILE *report; /* stdout and stderr are pipes that must stay empty */

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(report, "line %d: not so: %s\n", __LINE__, #condition);                        \
            problems++;                                                                            \
        }                                                                                          \
    } while (0)

#define works(call)                                                                                \
    do {                                                                                           \
        VarheadError error = {.code = -1, .message = "?"};                                         \
        if ((call) != VARHEAD_OK || error.code != VARHEAD_OK || error.message[0] != '\0') {        \
            fprintf(report, "line %d: %s\n", __LINE__, error.message);                             \
            problems++;                                                                            \
        }                                                                                          \
    } while (0)

/* The call fails as the caller's mistake, with one line that has `text` in it. */
#define refuses(call, text)                                                                        \
    do {                                                                                           \
        VarheadError error = {.code = -1, .message = ""};                                          \
        const int code = (call);                                                                   \
        if (code != VARHEAD_INPUT || error.code != code || !strstr(error.message, text) ||         \
            strchr(error.message, '\n')) {                                                         \
            fprintf(report, "line %d: expected \"%s\", got %d, \"%s\"\n", __LINE__, text, code,    \
                    error.message);                                                                \
            problems++;                                                                            \
        }                                                                                          \
    } while (0)

/* -- What must stay as it is ------------------------------------------------------------------ */

typedef struct Process {
    struct {
        void *handler;
        int flags;
    } actions[SIGNALS];
    sigset_t mask;
    int threads, dynamic, levels;
    H5E_auto2_t handler;
    void *context;
    char locale[64], directory[4096];
    mode_t umask;
    struct rlimit limits[RLIMIT_NLIMITS];
    char **environment;
    long file_descriptors;
} Process;

static long open_files(void)
{
    long count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void look(Process *process)
{
    memset(process, 0, sizeof *process);
    for (int i = 1; i < SIGNALS; i++) {
        struct sigaction action = {0};
        sigaction(i, NULL, &action);
        process->actions[i].handler = (void *)action.sa_handler;
        process->actions[i].flags = action.sa_flags;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &process->mask);
    process->threads = omp_get_max_threads();
    process->dynamic = omp_get_dynamic();
    process->levels = omp_get_max_active_levels();
    H5Eget_auto2(H5E_DEFAULT, &process->handler, &process->context);
    snprintf(process->locale, sizeof process->locale, "%s %p", setlocale(LC_ALL, NULL),
             (void *)uselocale((locale_t)0));
    expect(getcwd(process->directory, sizeof process->directory) != NULL);
    process->umask = umask(0);
    umask(process->umask);
    for (int i = 0; i < RLIMIT_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &process->limits[i]);
    process->environment = environ;
    process->file_descriptors = open_files();
}

static herr_t own_handler(hid_t stack, void *context)
{
    (void)stack;
    ++*(int *)context;
    return 0;
}

static void ignore(int signal)
{
    (void)signal;
}

/* Settings that a library might overwrite: a handler for SIGTERM, SIGPIPE ignored, a handler of
 * HDF5's errors. */
static void furnish(int *hdf5_errors)
{
    signal(SIGTERM, ignore);
    signal(SIGPIPE, SIG_IGN);
    H5Eset_auto2(H5E_DEFAULT, own_handler, hdf5_errors);
    omp_set_num_threads(3);
    omp_set_dynamic(1);
    setlocale(LC_ALL, "");
}

/* -- Every function --------------------------------------------------------------------------- */

static void set_options(VarheadOptions *options)
{
    works(varhead_set(options, "variance", "sn", &error));
    works(varhead_set_number(options, "steps", STEPS, &error));
    works(varhead_set(options, "seed", "18446744073709551615", &error));
    works(varhead_set_number(options, "threads", 2, &error));
    refuses(varhead_set(options, "variance", "nn", &error), "variance: ");
    refuses(varhead_set(options, "varience", "sn", &error), "did you mean variance?");
    refuses(varhead_set(options, "steps", "2x", &error), "steps: expected an integer");
    refuses(varhead_set_number(options, "eta", NAN, &error), "eta: expected a number");
    refuses(varhead_set(NULL, "eta", "0", &error), "options: ");
    refuses(varhead_set(options, NULL, "0", &error), "name: ");
    refuses(varhead_set(options, "eta", NULL, &error), "value: ");
}

static void describe(const VarheadModel *model)
{
    expect(varhead_resolution(model) == 8 && varhead_channels(model) == 1);
    expect(varhead_dims(model) == 64 && varhead_timesteps(model) == 100);
    expect(varhead_parameters(model) > 1000);
    expect(strcmp(varhead_head(model, 0), "sn") == 0 && !varhead_head(model, 1));
    expect(!varhead_head(model, -1) && !varhead_variance(model, -1) &&
           !varhead_variance(model, 99));
    expect(strcmp(varhead_variance(model, 0), "beta") == 0);
    expect(strstr(varhead_recipe(model), "resolution: 8") != NULL);
    expect(varhead_version()[0] == '0');
}

static void compute(VarheadModel *model, VarheadOptions *options, float *images)
{
    const int t[COUNT] = {1, 50, 100};
    float eps[COUNT * 64], head[COUNT * 64], *heads[] = {head}, bad[COUNT * 64] = {0};
    uint8_t bytes[COUNT * 64];
    double bits[COUNT] = {0}, values[101];
    int timesteps[101], room = 101, small = 2;
    works(varhead_sample(model, options, 0, COUNT, images, &error));
    works(varhead_predict(model, images, t, COUNT, eps, heads, &error));
    works(varhead_predict(model, images, t, COUNT, NULL, NULL, &error));
    works(varhead_predict(model, NULL, NULL, 0, NULL, NULL, &error));
    varhead_to_bytes(images, COUNT * 64, bytes);
    varhead_from_bytes(bytes, COUNT * 64, images);
    works(varhead_bound(model, options, images, COUNT, bits, &error));
    expect(isfinite(bits[0]) && bits[0] > 0);
    works(varhead_schedule(model, "alpha_bar", values, &error));
    expect(values[0] == 1 && values[100] < 0.1);
    works(varhead_trajectory(model, options, timesteps, &room, &error));
    expect(room == STEPS + 1 && timesteps[0] == 0 && timesteps[STEPS] == 100);

    bad[64] = NAN;
    refuses(varhead_predict(model, bad, t, COUNT, eps, NULL, &error), "x: expected finite");
    refuses(varhead_predict(model, images, (int[]){1, 2, 101}, COUNT, eps, NULL, &error), "t: ");
    refuses(varhead_predict(NULL, images, t, COUNT, eps, NULL, &error), "model: ");
    refuses(varhead_bound(model, options, bad, COUNT, bits, &error), "images: expected numbers");
    refuses(varhead_sample(model, options, -1, COUNT, images, &error), "first: ");
    refuses(varhead_sample(model, options, 0, -1, images, &error), "count: ");
    refuses(varhead_sample(model, options, 0, COUNT, NULL, &error), "images: ");
    refuses(varhead_schedule(model, "gamma", values, &error), "name: ");
    refuses(varhead_trajectory(model, options, timesteps, &small, &error), "count: ");
    expect(small == STEPS + 1);
    expect(varhead_sample(model, options, 0, COUNT, images, NULL) == VARHEAD_OK);
}

static void write_pictures(const VarheadModel *model, const float *images, const char *directory)
{
    char path[4096], damaged[4096];
    snprintf(path, sizeof path, "%s/grid.png", directory);
    snprintf(damaged, sizeof damaged, "%s/damaged.h5", directory);
    works(varhead_write_png(model, path, images, COUNT, 2, 1, &error));
    works(
        varhead_write_png(model, path, images, COUNT, 0, 0, &error)); /* in the place of its own */
    refuses(varhead_write_png(model, damaged, images, COUNT, 0, 0, &error), damaged);
    refuses(varhead_write_png(model, path, images, 0, 0, 0, &error), "count: ");
    snprintf(path, sizeof path, "%s/none/grid.png", directory);
    expect(varhead_write_png(model, path, images, COUNT, 0, 0, NULL) != VARHEAD_OK);
}

static void use(const char *run, const char *file, const char *directory)
{
    char damaged[4096];
    float images[COUNT * 64];
    VarheadModel *model = NULL, *none = (VarheadModel *)&model;
    VarheadOptions *options = varhead_options_new();
    snprintf(damaged, sizeof damaged, "%s/damaged.h5", directory);
    set_options(options);
    works(varhead_open(&model, run, options, &error));
    describe(model);
    compute(model, options, images);
    write_pictures(model, images, directory);
    varhead_close(model);

    works(varhead_open_files(&model, &file, 1, NULL, &error));
    varhead_close(model);
    refuses(varhead_open(&none, "/nowhere", NULL, &error), "/nowhere");
    expect(none == NULL);
    refuses(varhead_open(NULL, run, NULL, &error), "model: ");
    refuses(varhead_open(&none, NULL, NULL, &error), "run: ");
    refuses(varhead_open_files(&none, &file, 0, NULL, &error), "count: ");
    refuses(varhead_open_files(&none, (const char *[]){damaged}, 1, NULL, &error), damaged);
    varhead_close(NULL);
    varhead_options_free(options);
    varhead_options_free(NULL);
}

/* -- Conditions ------------------------------------------------------------------------------- */

static int notes;

static void count_note(const char *line)
{
    notes += line[0] != '\0';
}

/* The run has a stage 1 that was trained on since its head was made. */
static void ask_for_notes(const char *run)
{
    VarheadModel *model = NULL;
    varhead_notes(count_note);
    works(varhead_open(&model, run, NULL, &error));
    varhead_close(model);
    varhead_notes(NULL);
    expect(notes == 1);
}

static void *use_in_thread(void *model)
{
    float images[2 * 64];
    VarheadOptions *options = varhead_options_new();
    works(varhead_set_number(options, "steps", 2, &error));
    works(varhead_sample(model, options, 0, 2, images, &error));
    varhead_options_free(options);
    return NULL;
}

static void use_from_threads(const char *run)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    VarheadModel *model = NULL;
    works(varhead_open(&model, run, NULL, &error));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_in_thread, model);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
#pragma omp parallel num_threads(2)
#pragma omp single
    if (omp_in_parallel())
        refuses(varhead_sample(model, NULL, 0, 1, (float[64]){0}, &error), "parallel region");
    varhead_close(model);
}

/* No child process has been started so far. With the option it is. */
static void try_files(const char *run)
{
    struct rusage children;
    VarheadModel *model = NULL;
    VarheadOptions *options = varhead_options_new();
    getrusage(RUSAGE_CHILDREN, &children);
    expect(children.ru_minflt == 0 && waitpid(-1, NULL, WNOHANG) < 0);
    works(varhead_set(options, "try-files", "on", &error));
    works(varhead_open(&model, run, options, &error));
    getrusage(RUSAGE_CHILDREN, &children);
    expect(children.ru_minflt > 0); /* the option does what it says */
    varhead_close(model);
    varhead_options_free(options);
}

static void compare(const Process *before, const Process *after)
{
    for (int i = 1; i < SIGNALS; i++)
        if (before->actions[i].handler != after->actions[i].handler ||
            before->actions[i].flags != after->actions[i].flags) {
            fprintf(report, "the action of signal %d has changed\n", i);
            problems++;
        }
    expect(memcmp(&before->mask, &after->mask, sizeof before->mask) == 0);
    expect(before->threads == after->threads && before->dynamic == after->dynamic);
    expect(before->levels == after->levels);
    expect(before->handler == after->handler && before->context == after->context);
    expect(strcmp(before->locale, after->locale) == 0);
    expect(strcmp(before->directory, after->directory) == 0);
    expect(before->umask == after->umask && before->environment == after->environment);
    expect(memcmp(before->limits, after->limits, sizeof before->limits) == 0);
    expect(before->file_descriptors == after->file_descriptors);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int hdf5_errors = 0;
    Process before, after;
    report = fdopen(dup(STDOUT_FILENO), "w");
    int silent[2];
    if (!report || pipe(silent) != 0 || dup2(silent[1], STDOUT_FILENO) < 0 ||
        dup2(silent[1], STDERR_FILENO) < 0)
        return 2;
    fcntl(silent[0], F_SETFL, O_NONBLOCK);

    furnish(&hdf5_errors);
    look(&before);
    use(argv[1], argv[2], argv[3]);
    ask_for_notes(argv[1]);
    use_from_threads(argv[1]);
    look(&after);
    compare(&before, &after);
    expect(hdf5_errors == 0);
    try_files(argv[1]);
    look(&after);
    compare(&before, &after);

    char printed[4096] = "";
    fflush(NULL);
    if (read(silent[0], printed, sizeof printed - 1) > 0) {
        fprintf(report, "the library printed: %s\n", printed);
        problems++;
    }
    fclose(report);
    return problems > 0;
}
