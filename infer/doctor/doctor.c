/* infer doctor: checks whether this machine computes right, and how fast.
 *
 * It prints the machine and the libraries, makes the networks of a recipe as training and
 * evaluation do, so that every product is compared with plain loops (engine/product_check.h),
 * measures the speed of a convolution, and opens the data. Each fault is a line of its own, and the
 * exit code is 1.
 */
#include "base/cpu.h"
#include "base/memory.h"
#include "base/program.h"
#include "config/recipe.h"
#include "data/cache_place.h"
#include "data/dataset.h"
#include "engine/primitive.h"
#include "infer/command.h"
#include "infer/doctor/doctor_libraries.h"
#include "infer/doctor/doctor_products.h"
#include "model/precision.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: infer doctor [options]\n"
    "\n"
    "Checks whether this machine computes right, and how fast. It prints the\n"
    "processor and the libraries; compares every convolution and matrix product of a\n"
    "recipe's networks with plain loops, and names the implementation that computes\n"
    "it; tells whether bfloat16 will be used, and why; compares the speed of a\n"
    "convolution with the processor's own; and looks at memory and at the data of\n"
    "the recipe. It takes some seconds. The exit code is 1 if something is wrong.\n"
    "\n"
    "examples:\n"
    "  infer doctor\n"
    "  infer doctor --config configs/cifar10.yaml --all\n"
    "\n";

typedef struct Doctor {
    CommonOptions common;
    Config config;
    DType type;
    bool all;
    int wrong;
} Doctor;

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%-11s ", name);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

/* Reports a fault. */
static void wrong(Doctor *d, const Error *error)
{
    line("WRONG", "%s", error->message);
    d->wrong++;
}

/* -- The machine ------------------------------------------------------------------------------ */

static void print_machine(void)
{
    const char *features = cpu_features();
    const int cores = cpu_cores();
    line("processor", "%s, %d core%s", cpu_name(), cores, cores == 1 ? "" : "s");
    line("", "%s", features[0] ? features : "no instructions that matter here are known");
    line("threads", "%d", omp_get_max_threads());
    line("memory", "%.1f GB, %.1f GB available", (double)cpu_memory() / 1e9,
         (double)cpu_memory_available() / 1e9);
    line("libraries", "%s", doctor_libraries());
}

static void print_precision(const Doctor *d)
{
    const bool asked = d->config.precision != PRECISION_AUTO;
    line("precision", "training computes in %s: %s", precision_name(d->type),
         asked ? "the recipe or --precision says so" : precision_reason());
    line("", "evaluation computes in f32 unless --precision says otherwise");
}

/* -- The networks ----------------------------------------------------------------------------- */

static void check_networks(Doctor *d)
{
    DoctorNetworks networks;
    const bool made = doctor_make_networks(&d->config, d->type, &networks);
    doctor_print_products(d->all);
    const Error *errors[] = {&networks.stage1, &networks.stage2, &networks.evaluation};
    for (int i = 0; !made && i < 3; i++)
        if (errors[i]->kind != ERROR_NONE)
            wrong(d, errors[i]);
    const int64_t available = cpu_memory_available();
    line("training", "takes at least %.0f MB of memory", (double)networks.training_bytes / 1e6);
    if (available > 0 && networks.training_bytes > (size_t)available) {
        Error error;
        error_runtime(&error, "training takes more memory than is available; expected a smaller "
                              "stage1.batch, or more memory");
        wrong(d, &error);
    }
}

static void print_speed(Doctor *d)
{
    const double peak = cpu_peak(omp_get_max_threads());
    line("speed", "multiply-adds in registers, f32: %.0f GFLOP/s", peak / 1e9);
    const DType types[] = {DTYPE_F32, DTYPE_BF16};
    for (int i = 0; i < 2 && primitive_support(types[i]) >= SUPPORT_FAST; i++) {
        double speed = 0;
        Error error = {0};
        if (doctor_time_convolution(types[i], &speed, &error))
            line("", "a convolution, %s: %.0f GFLOP/s, %.2f of that", precision_name(types[i]),
                 speed / 1e9, speed / peak);
        else
            wrong(d, &error);
    }
}

/* -- The data --------------------------------------------------------------------------------- */

static void check_data(Doctor *d, DatasetSplit split, const char *name)
{
    Dataset *dataset = NULL;
    Error error = {0};
    if (!dataset_is_named(&d->config, split)) {
        line(name, "the recipe names none");
    } else if (dataset_open(&dataset, &d->config, split, &error)) {
        const int size = d->config.data.resolution;
        line(name, "%s: %lld images of %d x %d x %d", dataset_name(dataset),
             (long long)dataset_count(dataset), size, size, d->config.data.channels);
    } else {
        wrong(d, &error);
    }
    dataset_close(dataset);
}

/* -- The command ------------------------------------------------------------------------------ */

static bool examine(Doctor *d, Error *error)
{
    const NetworkSource *source = &d->common.network.source;
    if (!recipe_load(&d->config, source->config, source->overrides.items, source->overrides.count,
                     error))
        return false;
    if (d->common.precision != PRECISION_AUTO)
        d->config.precision = (PrecisionChoice)d->common.precision;
    config_resolve(&d->config);
    if (!precision_choose(d->config.precision, &d->type, error))
        return false;
    line("recipe", "%s", d->config.name);
    print_machine();
    print_precision(d);
    check_networks(d);
    print_speed(d);
    char *run = memory_format("checkpoints/%s", d->config.name);
    cache_place_set(access(run, F_OK) == 0 ? run : NULL, !d->common.quiet);
    memory_free(run);
    check_data(d, DATASET_TRAIN, "images");
    check_data(d, DATASET_TEST, "held out");
    if (d->wrong > 0)
        return error_runtime(error, "doctor: %d thing%s wrong (the lines that begin with WRONG)",
                             d->wrong, d->wrong == 1 ? " is" : "s are");
    puts("\nEverything is right.");
    return true;
}

bool doctor_command(int argc, char **argv, Error *error)
{
    Doctor d = {0};
    const Option options[] = {
        option_heading("What to examine"),
        option_string("config", "FILE", &d.common.network.source.config,
                      "the recipe with the networks and data to examine (default: "
                      "configs/fashion-mnist.yaml)"),
        option_list("set", "KEY=VALUE", &d.common.network.source.overrides,
                    "override one key of that recipe; repeatable"),
        option_integer("threads", "N", &d.common.threads, 1, PROGRAM_MAX_THREADS,
                       "processor cores to use (default: all)"),
        option_choice("precision", "auto|f32|bf16", &d.common.precision,
                      "the precision of training (default: as in the recipe)"),
        option_flag("all", &d.all, "print every product instead of one line per kind"),
    };
    const CommandLine command = {
        .usage = usage, .options = options, .count = sizeof options / sizeof options[0]};
    bool stop = false;
    common_defaults(&d.common);
    const bool ok = command_parse(&command, &d.common, argc, argv, NULL, &stop, error) &&
                    (stop || examine(&d, error));
    common_free(&d.common);
    return ok;
}
