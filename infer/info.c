/* infer info: prints the content of checkpoints.
 *
 * A checkpoint is opened and its tensors are checked against its configuration before the first
 * line is printed, so that a damaged file is an error and not half a page. Each group of lines is a
 * function.
 */
#include "base/memory.h"
#include "config/config_paths.h"
#include "infer/command.h"
#include "infer/info_foreign.h"
#include "inference/network.h"
#include "inference/run_files.h"
#include "io/checkpoint.h"
#include "io/correlation_file.h"
#include "model/precision.h"
#include "variance/variance.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: infer info [FILE...] [options]\n"
    "\n"
    "Prints the content of checkpoints: stage and step, network and heads, possible\n"
    "uses, data and recipe. Tensors are checked against the configuration; --verify\n"
    "reads all numbers and compares them with their checksums. Without FILE it\n"
    "prints the checkpoints of the run directory. Of weights of another program it\n"
    "prints the tensors, and whether infer import can make a run of them. With\n"
    "--quiet the exit code is the answer.\n"
    "\n"
    "examples:\n"
    "  infer info\n"
    "  infer info checkpoints/quick/stage2-sn.h5\n"
    "  infer info --verify checkpoints/quick/stage1.h5\n"
    "  infer info --yaml checkpoints/quick/stage1.h5 > again.yaml\n"
    "\n";

typedef struct Info {
    CommonOptions common;
    StringList names;
    bool yaml;
    bool verify;
} Info;

/* -- Words ------------------------------------------------------------------------------------ */

enum { TEXT_SIZE = 1400 };

typedef struct Text {
    char text[TEXT_SIZE];
} Text;

static void append(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(Text *text, const char *format, ...)
{
    size_t used = strlen(text->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text->text + used, sizeof text->text - used, format, arguments);
    va_end(arguments);
}

/* "1,118,337" */
static Text grouped(uint64_t number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    Text text = {""};
    for (int i = 0; i < length; i++)
        append(&text, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
    return text;
}

/* "4.0 MB" */
static Text file_size(const char *path)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    struct stat status = {0};
    (void)stat(path, &status); /* cannot fail: the file is open */
    double size = (double)status.st_size;
    int unit = 0;
    for (; size >= 1000 && unit < 4; unit++)
        size /= 1000;
    Text text = {""};
    append(&text, "%.*f %s", unit > 0, size, units[unit]);
    return text;
}

/* "1, 2, 2" */
static Text list_of(const int *items, int count)
{
    Text text = {""};
    for (int i = 0; i < count; i++)
        append(&text, "%s%d", i > 0 ? ", " : "", items[i]);
    return text;
}

static const char *plural(long long count)
{
    return count == 1 ? "" : "s";
}

/* -- Lines ------------------------------------------------------------------------------------ */

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *format, ...)
{
    printf("  %-10s ", name);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void print_progress(const Checkpoint *checkpoint)
{
    const Config *config = checkpoint_config(checkpoint);
    bool first = checkpoint_stage(checkpoint) == 1;
    if (!first && config->stage2.solver == SOLVER_EXACT)
        line("stage", "2 (variance heads), batch %lld", (long long)checkpoint_step(checkpoint));
    else
        line("stage", "%d (%s), step %lld of %lld", checkpoint_stage(checkpoint),
             first ? "the eps-network" : "variance heads", (long long)checkpoint_step(checkpoint),
             (long long)(first ? config->stage1.steps : config->stage2.steps));
}

static void print_network(const Config *config, const ParamSet *trunk)
{
    const int features = config->model.channels * config->model.channel_mult[0];
    line("network", "%s parameters, %d features", grouped(trunk->size).text, features);
    line("", "channels %d x [%s], %d block%s per level, groups of %d", config->model.channels,
         list_of(config->model.channel_mult, config->model.levels).text, config->model.res_blocks,
         plural(config->model.res_blocks), config->model.channels / config->model.norm_groups);
    if (config->model.attentions == 0)
        line("", "attention in the middle only, dropout %g", config->model.dropout);
    else
        line("", "attention at %s and in the middle, dropout %g",
             list_of(config->model.attention, config->model.attentions).text,
             config->model.dropout);
    if (config->model.learned != LEARNED_NONE)
        line("", "a second output: it learns its variance");
}

/* The last of `count` numbers in the array `name` of a head's fit; NAN if it cannot be read. */
static double last_of_fit(Checkpoint *checkpoint, const char *head, const char *name, int count)
{
    double values[TIME_BINS_MAX];
    Error unused;
    char *path = memory_format("fit/%s/%s", head, name);
    const bool ok = count >= 1 && count <= TIME_BINS_MAX && checkpoint_has(checkpoint, path) &&
                    checkpoint_read_doubles(checkpoint, path, count, values, &unused);
    memory_free(path);
    return ok ? values[count - 1] : NAN;
}

static void print_fit(Checkpoint *checkpoint, const char *head)
{
    const int levels = (int)checkpoint_attribute(checkpoint, "fit", "levels", 0);
    const double squares = last_of_fit(checkpoint, head, "held_out_loss", levels);
    /* A regression is solved for once. */
    const double loss =
        isnan(squares) ? last_of_fit(checkpoint, head, "held_out_loss", 1) : squares;
    const double error = last_of_fit(checkpoint, head, "held_out_stderr", 1);
    double images[TIME_BINS_MAX];
    Error unused;
    if (isnan(loss) || !checkpoint_read_doubles(checkpoint, "fit/images", levels, images, &unused))
        return;
    if (!(images[levels - 1] >= 0 && images[levels - 1] < 1e15))
        return; /* the file is not one of varhead's */
    if (error > 0)
        line("", "%s: solved for on %s images, held-out loss %.4g +- %.2g", head,
             grouped((uint64_t)images[levels - 1]).text, loss, error);
    else
        line("", "%s: solved for on %s images so far, held-out loss %.4g", head,
             grouped((uint64_t)images[levels - 1]).text, loss);
}

/* The blocks of the head's correlations; nothing if it has none. Damaged ones are an error of the
 * commands that read them. */
static void print_correlation(Checkpoint *checkpoint, const char *head)
{
    BlockCorrelation correlation;
    Error unused;
    if (!correlation_file_has(checkpoint, head) ||
        !correlation_file_read(checkpoint, head, &correlation, &unused))
        return;
    const int size = correlation.shape.size;
    const double gain = correlation_file_gain(checkpoint, head, correlation.bins.count);
    line("",
         "%s: correlations within blocks of %dx%d pixels; they gain %.3g bits/dim in a step to 1",
         head, size, size, gain);
    memory_free(correlation.matrix);
}

static void print_heads(Checkpoint *checkpoint, const ParamSet *head)
{
    if (checkpoint_heads(checkpoint) == 0) {
        line("heads", "none");
        return;
    }
    Text names = {""};
    for (int i = 0; i < checkpoint_heads(checkpoint); i++)
        append(&names, "%s%s", i > 0 ? ", " : "", checkpoint_head(checkpoint, i));
    const char *type =
        checkpoint_config(checkpoint)->head.type == HEAD_COMPLEX ? "complex" : "simple";
    const int bins = checkpoint_bins(checkpoint)->count;
    line("heads", "%s (%s, %s parameters each)", names.text, type, grouped(head->size).text);
    if (bins > 1)
        line("", "a last layer for each of %d bins of timesteps", bins);
    if (checkpoint_config(checkpoint)->stage2.solver == SOLVER_ADAM)
        line("", "trained by Adam");
    for (int i = 0; i < checkpoint_heads(checkpoint); i++)
        print_fit(checkpoint, checkpoint_head(checkpoint, i));
    for (int i = 0; i < checkpoint_heads(checkpoint); i++)
        print_correlation(checkpoint, checkpoint_head(checkpoint, i));
}

static void print_data(const Config *config)
{
    char *train = config_paths_text(config->data.train);
    char *test = config_paths_text(config->data.test);
    const DataFormatFacts *format = &data_formats[config->data.format];
    line("images", "%d x %d, %d channel%s", config->data.resolution, config->data.resolution,
         config->data.channels, plural(config->data.channels));
    if (!format->has_files)
        line("data", "%s, built in", format->name);
    else if (config->data.train[0] == '\0' && config->data.test[0] == '\0')
        line("data", "no files named");
    else
        line("data", "%s: %s%s%s", format->name, train, config->data.flip ? ", flipped" : "",
             config->data.test[0] ? "" : ", no test images");
    if (format->has_files && config->data.test[0])
        line("", "%s",
             strcmp(config->data.test, CONFIG_TEST_AUTO) == 0
                 ? "test images: those that it brings, else a tenth of it, held out"
                 : test);
    memory_free(train);
    memory_free(test);
}

static void print_recipe(const Config *config)
{
    line("recipe", "%s, seed %llu", config->name, (unsigned long long)config->seed);
    line("", "stage 1: %lld steps of %d images, lr %g, warm-up %lld, EMA %g",
         (long long)config->stage1.steps, config->stage1.batch, config->stage1.lr,
         (long long)config->stage1.warmup, config->stage1.ema);
    const char *dropout = config->stage2.trunk_dropout ? ", the trunk's dropout on" : "";
    if (config->stage2.solver == SOLVER_EXACT)
        line("", "stage 2: solved on %lld images, %d bins, batch %d%s",
             (long long)config->stage2.images, config_bins(config).count, config->stage2.batch,
             dropout);
    else
        line("", "stage 2: %lld steps of %d images, lr %g, EMA %g%s",
             (long long)config->stage2.steps, config->stage2.batch, config->stage2.lr,
             config->stage2.ema, dropout);
}

/* A file of another program may lack the precision. */
static void print_precision(const Config *config)
{
    static const char *const trained[] = {"not stored", "trained in f32", "trained in bf16"};
    DType here = DTYPE_F32;
    (void)precision_choose(PRECISION_AUTO, &here, &(Error){0}); /* auto is always possible */
    line("precision", "%s", trained[config->precision]);
    line("", "auto would be %s here: %s", precision_name(here), precision_reason());
}

/* "analytic works, analytic_diag too": the variances whose constants are there. */
static Text uses_of_constants(Checkpoint *checkpoint)
{
    Text text = {""};
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        const Variance *variance = variance_table[v];
        char *path = memory_format("analytic/%s", variance->constants ? variance->constants : "");
        if (variance->constants && checkpoint_has(checkpoint, path))
            append(&text, text.text[0] ? ", %s too" : "%s works", variance->name);
        memory_free(path);
    }
    return text;
}

/* Constants of another program may lack the number of images. */
static void print_constants(Checkpoint *checkpoint)
{
    if (!checkpoint_has(checkpoint, "analytic/ms_eps")) {
        line("analytic", "no E||eps_hat||^2/d; infer analytic adds it");
        return;
    }
    const int timesteps = checkpoint_config(checkpoint)->diffusion.timesteps;
    const int64_t images = checkpoint_attribute(checkpoint, "analytic", "images", 0);
    const int64_t measured = checkpoint_attribute(checkpoint, "analytic", "timesteps", timesteps);
    Text from = {""};
    if (images > 0)
        append(&from, " from %s images", grouped((uint64_t)images).text);
    if (images > 0 && measured != timesteps)
        append(&from, " at %lld timesteps", (long long)measured);
    line("analytic", "E||eps_hat||^2/d is stored%s: --variance %s", from.text,
         uses_of_constants(checkpoint).text);
}

static void print_uses(Checkpoint *checkpoint)
{
    print_constants(checkpoint);
    line("resume", "%s",
         checkpoint_has(checkpoint, "optimizer") ? "possible: the state of the optimizer is stored"
         : checkpoint_attribute(checkpoint, "least_squares", "sample_dropped", 0) != 0
             ? "not possible: the run is complete, and its sample is not stored"
         : checkpoint_has(checkpoint, "least_squares/sums")
             ? "possible: the sums of least squares are stored"
             : "not possible: no state of the optimizer");
}

static void print_verified(const Hdf5Verified *verified)
{
    Text text = {""};
    append(&text, "all %s arrays were read, %s bytes", grouped((uint64_t)verified->arrays).text,
           grouped((uint64_t)verified->bytes).text);
    if (verified->unchecked > 0)
        append(&text, "; %s of them without a checksum",
               grouped((uint64_t)verified->unchecked).text);
    line("verified", "%s", text.text);
}

/* -- Files ------------------------------------------------------------------------------------ */

/* An input error unless all weights of inference have the shapes of the configuration. */
static bool check_tensors(Checkpoint *checkpoint, const ParamSet *trunk, const ParamSet *head,
                          Error *error)
{
    bool ok = checkpoint_check_params(checkpoint, "trunk_ema", trunk, error);
    for (int i = 0; ok && i < checkpoint_heads(checkpoint); i++) {
        char *group = memory_format("heads_ema/%s", checkpoint_head(checkpoint, i));
        ok = checkpoint_check_params(checkpoint, group, head, error);
        memory_free(group);
    }
    return ok;
}

static bool print_checkpoint(const Info *info, Checkpoint *checkpoint, Error *error)
{
    const Config *config = checkpoint_config(checkpoint);
    ParamSet trunk, head;
    network_shapes(config, checkpoint_bins(checkpoint)->count, &trunk, &head);
    Hdf5Verified verified;
    bool ok = check_tensors(checkpoint, &trunk, &head, error) &&
              (!info->verify || checkpoint_verify(checkpoint, &verified, error));
    if (ok && !info->common.quiet) {
        const char *path = checkpoint_path(checkpoint);
        printf("%s  (%s)\n", path, file_size(path).text);
        print_progress(checkpoint);
        print_network(config, &trunk);
        print_heads(checkpoint, &head);
        print_uses(checkpoint);
        line("diffusion", "%s schedule, %d timesteps",
             schedule_kind_name(config->diffusion.schedule), config->diffusion.timesteps);
        print_precision(config);
        print_data(config);
        print_recipe(config);
        if (info->verify)
            print_verified(&verified);
    }
    params_free(&trunk);
    params_free(&head);
    return ok;
}

static void print_yaml(const Checkpoint *checkpoint)
{
    char *text = config_to_yaml(checkpoint_config(checkpoint));
    printf("# %s\n%s", checkpoint_path(checkpoint), text);
    memory_free(text);
}

static bool print_file(const Info *info, const char *path, Error *error)
{
    Checkpoint *checkpoint = NULL;
    if (!info->yaml && !info->verify && info_is_foreign(path))
        return info_print_foreign(path, info->common.network.source.config, info->common.quiet,
                                  error);
    if (!checkpoint_open(&checkpoint, path, error))
        return false;
    bool ok = true;
    if (info->yaml)
        print_yaml(checkpoint);
    else
        ok = print_checkpoint(info, checkpoint, error);
    checkpoint_close(checkpoint);
    return ok;
}

/* Prints files in their order (step = 1) or in the opposite one (step = -1). */
static bool print_files(const Info *info, const char *const *paths, int count, int step,
                        Error *error)
{
    if (info->yaml && count > 1)
        return error_input(error, "--yaml: expected one file, got %d", count);
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        if (i > 0 && !info->common.quiet)
            putchar('\n');
        ok = print_file(info, paths[step > 0 ? i : count - 1 - i], error);
    }
    return ok;
}

static bool print_named_or_run(const Info *info, Error *error)
{
    if (info->names.count > 0)
        return print_files(info, info->names.items, info->names.count, 1, error);
    RunFiles files;
    if (!run_files_find(&files, &info->common.network.source, error))
        return false;
    /* The files of a run are found from the newest heads to stage 1; a reader wants stage 1
     * first. */
    bool ok = print_files(info, (const char *const *)files.paths, files.count,
                          files.is_run ? -1 : 1, error);
    run_files_free(&files);
    return ok;
}

bool info_command(int argc, char **argv, Error *error)
{
    Info info = {0};
    const Option options[] = {
        option_heading("What to print"),
        option_flag("verify", &info.verify,
                    "read the whole file and compare it with its checksums"),
        option_flag("yaml", &info.yaml, "print the complete configuration instead, as YAML"),
    };
    const CommandLine command = {.usage = usage,
                                 .options = options,
                                 .count = sizeof options / sizeof options[0],
                                 .common = COMMON_NETWORK};
    bool stop = false;
    common_defaults(&info.common);
    bool ok = command_parse(&command, &info.common, argc, argv, &info.names, &stop, error) &&
              (stop || print_named_or_run(&info, error));
    string_list_free(&info.names);
    common_free(&info.common);
    return ok;
}
