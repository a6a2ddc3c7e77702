/* bench: the speed of training and sampling, beside a lower bound of their time.
 *
 * The options become a list of measurements. Each runs in a process of its own, so that the memory
 * of one does not count for the next, and prints one line.
 */
#include "base/idle_threads.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/program.h"
#include "base/version.h"
#include "bench/measure.h"
#include "bench/pictures.h"
#include "bench/rounding.h"
#include "config/recipe.h"
#include "engine/primitive.h"
#include "io/file_kind.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Settings {
    const char *networks, *csv, *rounding;
    int work, precision;
    int64_t batch, steps, threads;
    StringList overrides;
    bool profile, help, version;
} Settings;

static const char usage[] =
    "usage: bench [options]\n"
    "\n"
    "Times steps of training, of sampling and of bounds on networks of the given\n"
    "recipes, with random weights and the built-in mixture as data (no file is\n"
    "needed, none is left). Each line is a process of its own. Its peak memory\n"
    "after one step is shown.\n"
    "\n"
    "Beside each step is its floor: the time that its convolutions and matrix\n"
    "products take when they are run again with nothing in between. The ratio is the\n"
    "step over the floor. The products of the floor are oneDNN's direct ones. Where\n"
    "varhead takes Winograd's algorithm, a step can be faster than its floor.\n"
    "Of peak: the operations of the direct products per second of the step, as a\n"
    "share of the processor's float32 peak, measured there and then.\n"
    "\n"
    "Bounds are computed as by infer nll: ten timesteps of 32 images, 6 variances.\n"
    "Their floor is the bare passes of the network and the heads. The exact fit of\n"
    "heads is timed without solving. Its floor is the bare passes of the trunk.\n"
    "The floor of draws in blocks of 4x4 pixels is the step with a diagonal\n"
    "covariance. The solution of nll is one of 16 images of random features. Its\n"
    "floor is one product with their rows. The floor of draws of gms is a step of sn.\n"
    "The floor of draws of full, of 8 images, is the bare passes of ten products\n"
    "with the Jacobian and ten with its transpose.\n"
    "\n"
    "--work data times no network: PNG and JPEG become images, beside the speed of\n"
    "libpng and libjpeg alone, and are read from a cache. The column ratio divides\n"
    "our time by the library's, the column processor our processor time by the\n"
    "library's. --batch is the number of pictures. They lie in a temporary\n"
    "directory, which is removed.\n"
    "\n"
    "examples:\n"
    "  bench\n"
    "  bench --networks cifar10 --work stage1 --precision bf16 --batch 16 --profile\n"
    "\n";

/* The choice `data` of --work, which is no Work: it times no step. */
enum { WORK_PICTURES = WORK_COUNT, PICTURES = 512 };

/* What a child tells its parent. */
typedef struct Report {
    bool done;
    Measurement measurement;
    Error error;
} Report;

static void run_child(const Task *task, const Settings *settings, int to)
{
    Report report = {0};
    program_set_threads((int)settings->threads);
    report.done = measure(task, &report.measurement, &report.error);
    fflush(stdout);
    _exit(write(to, &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
}

/* Measures in a process of its own. */
static bool run_task(const Task *task, const Settings *settings, Measurement *result, Error *error)
{
    int ends[2];
    if (pipe(ends) != 0)
        return error_runtime(error, "bench: no pipe can be made");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        run_child(task, settings, ends[1]);
    close(ends[1]);
    Report report = {.error = {.kind = ERROR_RUNTIME,
                               .message = "the measurement was killed (too little memory?)"}};
    const bool told = child > 0 && read(ends[0], &report, sizeof report) == (ssize_t)sizeof report;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    *result = report.measurement;
    if (child < 0)
        return error_runtime(error, "no process can be started to measure in");
    if (!told || !report.done) {
        *error = report.error;
        return false;
    }
    return true;
}

static void print_header(FILE *csv)
{
    printf("%-16s %-9s %-18s %6s %10s %10s %10s %7s %7s %9s\n", "network", "precision", "work",
           "batch", "ms/step", "images/s", "floor ms", "ratio", "of peak", "peak MB");
    if (csv)
        fputs(file_kind_beginning(FILE_BENCH), csv);
}

static void print_line(FILE *csv, const Task *task, const Settings *settings, const Measurement *m)
{
    static const char *const precisions[] = {"auto", "f32", "bf16"};
    const char *precision = precisions[task->config.precision];
    const int threads = settings->threads > 0 ? (int)settings->threads : omp_get_max_threads();
    printf("%-16s %-9s %-18s %6d %10.2f %10.2f %10.2f %7.3f %7.2f %9.0f\n", task->network,
           precision, work_name(task->work), m->batch, 1e3 * m->step, m->batch / m->step,
           1e3 * m->floor, m->ratio, m->peak_share, m->memory / (1 << 20));
    fflush(stdout);
    if (csv)
        fprintf(csv, "%s,%s,\"%s\",%d,%d,%.3f,%.3f,%.3f,%.3f,%.4f,%.4g,%.0f\n", task->network,
                precision, work_name(task->work), m->batch, threads, 1e3 * m->step,
                m->batch / m->step, m->batch / m->processor, 1e3 * m->floor, m->ratio,
                m->peak_share, m->memory / (1 << 20));
}

/* The recipe of a network with data that are always there; --batch goes for both stages. */
static bool load_network(const char *name, const Settings *settings, Config *config, Error *error)
{
    char batches[2][64];
    StringList overrides = {0};
    string_list_add(&overrides, "data.format=mixture");
    if (settings->batch > 0)
        for (int i = 0; i < 2; i++) {
            snprintf(batches[i], sizeof batches[i], "stage%d.batch=%lld", i + 1,
                     (long long)settings->batch);
            string_list_add(&overrides, batches[i]);
        }
    for (int i = 0; i < settings->overrides.count; i++)
        string_list_add(&overrides, settings->overrides.items[i]);
    bool done = recipe_load(config, name, overrides.items, overrides.count, error);
    string_list_free(&overrides);
    return done;
}

static bool run_network(const char *name, const Settings *settings, FILE *csv, Error *error)
{
    Task task = {.network = name, .steps = (int)settings->steps, .profile = settings->profile};
    if (!load_network(name, settings, &task.config, error))
        return false;
    for (int precision = PRECISION_F32; precision <= PRECISION_BF16; precision++) {
        if (settings->precision >= 0 && settings->precision != precision - 1)
            continue;
        if (settings->precision < 0 && precision == PRECISION_BF16 &&
            primitive_support(DTYPE_BF16) == SUPPORT_NONE)
            continue; /* all that this processor can do */
        task.config.precision = (PrecisionChoice)precision;
        for (int work = 0; work < WORK_COUNT; work++) {
            Measurement result = {0};
            if (settings->work >= 0 && settings->work != work)
                continue;
            task.work = (Work)work;
            if (!run_task(&task, settings, &result, error))
                return false;
            print_line(csv, &task, settings, &result);
        }
    }
    return true;
}

static bool run(const Settings *settings, Error *error)
{
    if (settings->csv && !file_kind_allows(settings->csv, FILE_BENCH, error))
        return false;
    FILE *csv = settings->csv ? fopen(settings->csv, "w") : NULL;
    if (settings->csv && !csv)
        return error_input(error, "%s: cannot be written", settings->csv);
    print_header(csv);
    char *names = memory_string(settings->networks), *rest = NULL;
    bool done = true;
    for (char *name = strtok_r(names, ",", &rest); done && name; name = strtok_r(NULL, ",", &rest))
        done = run_network(name, settings, csv, error);
    memory_free(names);
    if (csv && fclose(csv) != 0 && done)
        done = error_runtime(error, "%s: cannot be written", settings->csv);
    return done;
}

static bool run_pictures(const Settings *settings, Error *error)
{
    const PicturesTask task = {.pictures = settings->batch > 0 ? (int)settings->batch : PICTURES,
                               .steps = (int)settings->steps,
                               .threads = (int)settings->threads};
    if (settings->csv)
        return error_input(error, "--csv: not with --work data, whose table has other columns");
    return pictures_print(&task, error);
}

/* What the options ask for. */
static bool run_any(const Settings *settings, Error *error)
{
    if (settings->work == WORK_PICTURES)
        return run_pictures(settings, error);
    if (!settings->rounding)
        return run(settings, error);
    program_set_threads((int)settings->threads);
    return rounding_print(settings->rounding, 64, error);
}

int main(int argc, char **argv)
{
    idle_threads_sleep(argv);
    memory_keep_freed(); /* as train and infer do */
    Settings s = {
        .networks = "quick,fashion-mnist,cifar10", .work = -1, .precision = -1, .steps = 7};
    const Option options[] = {
        option_string("networks", "NAMES", &s.networks,
                      "recipes, by name or path (default: quick,fashion-mnist,cifar10)"),
        option_choice(
            "work",
            "stage1|stage2|stage2-both|exact|ocm|sample|bounds|dp|draws|solution|gms|full|data",
            &s.work, "what to time (default: everything but data)"),
        option_choice("precision", "f32|bf16", &s.precision, "default: both"),
        option_integer("batch", "N", &s.batch, 1, 65536,
                       "images per step (default: as in the recipes)"),
        option_list("set", "KEY=VALUE", &s.overrides,
                    "override one key of the recipes; repeatable"),
        option_integer("steps", "N", &s.steps, 1, 100000, "steps that are timed (default: 7)"),
        option_integer("threads", "N", &s.threads, 1, PROGRAM_MAX_THREADS,
                       "processor cores to use (default: all)"),
        option_flag("profile", &s.profile, "show where the time of a step goes, beside bounds"),
        option_string("rounding", "FILE", &s.rounding,
                      "instead: how far Winograd's convolutions, and bfloat16, move the "
                      "variances of a stage-2 checkpoint with both heads, on 64 test images"),
        option_string("csv", "FILE", &s.csv, "write the table there too"),
        option_flag("help", &s.help, "print this page"),
        option_flag("version", &s.version, "print the version"),
    };
    const int count = sizeof options / sizeof options[0];
    Error error = {0};
    bool done = options_parse(options, count, argc - 1, argv + 1, NULL, &error);
    if (done && s.help) {
        fputs(usage, stdout);
        options_print_help(options, count, stdout);
    } else if (done && s.version) {
        printf("bench (varhead) %s\n", VARHEAD_VERSION);
    } else if (done) {
        done = run_any(&s, &error);
    }
    string_list_free(&s.overrides);
    return program_end("bench", done, &error);
}
