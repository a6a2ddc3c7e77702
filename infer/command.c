/* Reads the command lines of all commands.
 *
 * A table of options is the command's own rows followed by the groups of common ones that it names.
 * Each group is a function that writes its rows, with the fields of CommonOptions as their targets.
 */
#include "infer/command.h"

#include "base/atomic_file.h"
#include "base/group.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/program.h"
#include "base/standard_error.h"
#include "base/version.h"
#include "data/cache_place.h"
#include "infer/lists.h"
#include "inference/network_products.h"
#include "model/precision.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Enough to keep every core busy; more only takes more memory. */
    DEFAULT_BATCH = 64,
    MAX_BATCH = 65536,
    /* At least the number of common options and their headings. */
    COMMON_LIMIT = 32,
};

void common_defaults(CommonOptions *common)
{
    *common = (CommonOptions){.network = {.batch = DEFAULT_BATCH},
                              .clip_cov = SWITCH_UNSET,
                              .estimate = estimate_defaults(),
                              .sampling = {.eta = NAN, .clip_pixel = NAN}};
}

void common_free(CommonOptions *common)
{
    string_list_free(&common->network.source.overrides);
    string_list_free(&common->network.source.checkpoints);
    string_list_free(&common->correction.dcw);
}

/* Copies a table of options to `at`. Returns how many they are. */
#define PUT(at, options) put(at, options, sizeof(options) / sizeof *(options))
static int put(Option *at, const Option *options, size_t count)
{
    memcpy(at, options, count * sizeof *at);
    return (int)count;
}

static Option option_krylov(CommonOptions *common)
{
    return option_integer("krylov", "M", &common->full.krylov, 1, FULL_MOST_KRYLOV,
                          "the variance full: the dimensions of a Krylov space of the network's "
                          "Jacobian, two products with it each (default: 10)");
}

static int sampling_options(Option *at, CommonOptions *common)
{
    SamplingOptions *sampling = &common->sampling;
    const Option options[] = {
        option_heading("How samples are drawn"),
        option_choice(
            "trajectory", "linear|quad|dp", &sampling->trajectory,
            "the timesteps that are visited; dp: the best ones for the likelihood of each "
            "variance, as infer nll found them (default: linear)"),
        option_number("eta", "E", &sampling->eta, 0, 1,
                      "DDIM's eta, 0 to 1; 0 with beta_tilde is deterministic (default: 0)"),
        option_number("clip-pixel", "P", &sampling->clip_pixel, 0, 1e6,
                      "bound the last noise added to a mean magnitude of P grey levels of 255; "
                      "0: no bound (default: 2 for ddpm, 1 for ddim)"),
        option_krylov(common),
    };
    return PUT(at, options);
}

static int full_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("How the variance full is computed"),
        option_krylov(common),
        option_integer("probes", "N", &common->full.probes, 1, FULL_MOST_PROBES,
                       "random vectors for each trace of the network's Jacobian in a bound "
                       "(default: 2); the standard error has their share"),
        option_flag("dense", &common->full.dense,
                    "bounds of the whole Jacobian in the place of products with it: exact, for "
                    "images of at most 1024 elements, with as many passes forward and backward"),
    };
    return PUT(at, options);
}

static int correction_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("What is done to the mean"),
        option_string("eps-scale", "LIST", &common->correction.eps_scales,
                      "divide the predicted noise by each of these numbers, 0.5 to 2, for example "
                      "1,1.005,1.01 (default: 1)"),
        option_list("dcw", "LOW,HIGH", &common->correction.dcw,
                    "after each step, move x_s away from the predicted x_0 by LOW in the low band "
                    "of a wavelet transform and by HIGH in its high bands, for example 0.05,0.01; "
                    "repeatable: each pair is a row (default: 0,0)"),
    };
    return PUT(at, options);
}

static int estimate_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("What is done to an estimated Cov[x_0 | x_t]"),
        option_flag("average-cov", &common->estimate.average,
                    "replace it by its mean over the image, one number per x_t"),
    };
    return PUT(at, options);
}

static int floor_options(Option *at, CommonOptions *common)
{
    *at =
        option_number("cov-floor", "F", &common->estimate.floor, 0, 1,
                      "raise pixels to at least F times the mean over the image: heads of least "
                      "squares leave many pixels at zero, which costs likelihood; nll has no such "
                      "pixels and no floor (default: 0; docs/likelihood.md)");
    return 1;
}

static int clip_options(Option *at, CommonOptions *common)
{
    *at =
        option_choice("clip-cov", "on|off", &common->clip_cov,
                      "clip it to [0, 1]; off: a variance that is not positive has the bound nan, "
                      "and adds no noise (default: on)");
    return 1;
}

static int scale_options(Option *at, CommonOptions *common)
{
    *at = option_number(
        "cov-scale", "C", &common->estimate.scale, 0, LISTS_MAX_SCALE,
        "multiply it by C, after everything else; 0 makes it beta_tilde (default: 1)");
    return 1;
}

static int network_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("Where the network comes from"),
        option_string("run", "DIR", &common->network.source.run,
                      "a run directory, with every head in it (default: checkpoints/<name>, with "
                      "the name of the configuration)"),
        option_string("config", "RECIPE", &common->network.source.config,
                      "the recipe that names the run directory: a file, or the name of one "
                      "(default: fashion-mnist; train --help lists where names are looked up)"),
        option_list("set", "KEY=VALUE", &common->network.source.overrides,
                    "override one key of that configuration; repeatable"),
        option_list("checkpoint", "FILE", &common->network.source.checkpoints,
                    "a file instead of a run directory; repeatable: heads of several files are "
                    "joined if they are for the same network"),
    };
    return PUT(at, options);
}

static int compute_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("How it is computed"),
        option_integer("batch", "N", &common->network.batch, 1, MAX_BATCH,
                       "images per pass of the network, at most (default: 64)"),
        option_seed("seed", "N", &common->seed,
                    "the seed of everything random (default: the seed in the checkpoint's "
                    "configuration)"),
        option_integer("threads", "N", &common->threads, 1, PROGRAM_MAX_THREADS,
                       "processor cores to use (default: all)"),
        option_choice("precision", "auto|f32|bf16", &common->precision,
                      "the precision of the network (default: auto, which is f32, so that results "
                      "do not depend on the processor; bf16 is four to six times faster on "
                      "processors with AMX, and seldom on others)"),
        option_choice("convolution", "auto|direct", &common->convolution,
                      "whether 3x3 convolutions in float32 are computed by Winograd's algorithm "
                      "(default: auto, which does so; direct never does)"),
    };
    return PUT(at, options);
}

static int general_options(Option *at, CommonOptions *common)
{
    const Option options[] = {
        option_heading("General"),
        option_flag("quiet", &common->quiet, "print errors and nothing else"),
        option_flag("help", &common->help, "print this page"),
        option_flag("version", &common->version, "print the version"),
    };
    return PUT(at, options);
}

bool command_check_full(const CommonOptions *common, const Network *network,
                        const Variance *const *variances, int count, Error *error)
{
    for (int v = 0; v < count; v++)
        if (variances[v]->reads_jacobian)
            return network_products_check(network, error);
    return common->full.krylov == 0 || error_input(error, "--krylov: expected full in --variance");
}

static void print_note(const char *text)
{
    standard_error_say("infer: note: %s\n", text);
}

/* The default is float32 on every machine. SN's variance is a difference of two nearly equal
 * numbers, and a table should not depend on the machine that made it. */
static bool apply(CommonOptions *common, Error *error)
{
    const FullOptions *full = &common->full;
    if (full->dense && (full->krylov > 0 || full->probes > 0))
        return error_input(error, "--dense: computes the whole Jacobian; expected it without "
                                  "--krylov and --probes");
    const bool bf16 = common->precision == PRECISION_BF16;
    if (!precision_choose(bf16 ? PRECISION_BF16 : PRECISION_F32, &common->network.type, error))
        return false;
    common->network.direct = common->convolution == CONVOLUTION_DIRECT;
    if (common->clip_cov != SWITCH_UNSET)
        common->estimate.clip = common->clip_cov == SWITCH_ON;
    program_set_threads((int)common->threads);
    note_show(common->quiet ? NULL : print_note);
    return true;
}

static void print_usage(const char *usage)
{
    const char *place = strstr(usage, COMMAND_VARIANCE_LINES);
    if (!place) {
        fputs(usage, stdout);
        return;
    }
    fwrite(usage, 1, (size_t)(place - usage), stdout);
    for (int v = 0; v < VARIANCE_COUNT; v++)
        printf("  %-14s %s (%s)\n", variance_table[v]->name, variance_table[v]->help,
               variance_table[v]->source);
    fputs(place + strlen(COMMAND_VARIANCE_LINES), stdout);
}

/* The groups in the order of --help. */
static const struct {
    int flag;
    int (*options)(Option *at, CommonOptions *common);
} groups[] = {
    {COMMON_FULL, full_options},
    {COMMON_SAMPLING, sampling_options},
    {COMMON_CORRECTION, correction_options},
    {COMMON_ESTIMATE, estimate_options},
    {COMMON_FLOOR, floor_options},
    {COMMON_CLIP, clip_options},
    {COMMON_SCALE, scale_options},
    {COMMON_NETWORK, network_options},
    {COMMON_COMPUTE, compute_options},
};

bool command_parse(const CommandLine *line, CommonOptions *common, int argc, char **argv,
                   StringList *positional, bool *stop, Error *error)
{
    Option *table = memory_small((size_t)line->count + COMMON_LIMIT, sizeof *table);
    int count = line->count;
    if (count > 0)
        memcpy(table, line->options, (size_t)count * sizeof *table);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (line->common & groups[i].flag)
            count += groups[i].options(table + count, common);
    count += general_options(table + count, common);

    assert(count <= line->count + COMMON_LIMIT);
    bool ok = options_parse(table, count, argc, argv, positional, error);
    *stop = ok && (common->help || common->version);
    if (ok && common->help) {
        print_usage(line->usage);
        options_print_help(table, count, stdout);
    } else if (ok && common->version) {
        printf("infer (varhead) %s\n", VARHEAD_VERSION);
    }
    memory_free(table);
    return ok && (*stop || apply(common, error));
}

/* -- Single options --------------------------------------------------------------------------- */

Option option_variances(const char **list, const char *more)
{
    static char help[512]; /* a command has one such option */
    size_t used = 0;
    for (int v = 0; v < VARIANCE_COUNT && used < sizeof help; v++)
        used += (size_t)snprintf(help + used, sizeof help - used, "%s%s", v > 0 ? ", " : "",
                                 variance_table[v]->name);
    if (used < sizeof help)
        snprintf(help + used, sizeof help - used, "%s", more);
    return option_string("variance", "LIST", list, help);
}

Option option_training_images(const char **path)
{
    return option_string("data", "FILE", path,
                         "the training images, in a file of any format (default: data.train of the "
                         "checkpoint's configuration)");
}

Option option_results(const char **path)
{
    return option_string("out", "FILE", path,
                         "where the table goes, as CSV; the other files go beside it");
}

Option option_features(const char **source)
{
    return option_string("features", "SOURCE", source,
                         "where features come from: classifier, or inception=FILE with the weights "
                         "of the FID's Inception-v3 (default: classifier)");
}

/* -- Made of options -------------------------------------------------------------------------- */

/* Whether all processes have read the same network, with the same heads. */
static bool check_same(const Network *network, Error *error)
{
    return group_size() == 1 ||
           group_check_same(network_identity(network), network_origin(network), error);
}

bool command_open_network(const CommonOptions *common, Network **network, Error *error)
{
    if (!group_agree(network_open(network, &common->network, error), error) ||
        !check_same(*network, error))
        return false;
    const char *unused, *run = network_run(*network);
    char *directory =
        run ? memory_string(run) : atomic_directory_of(network_file(*network, 0), &unused);
    cache_place_set(directory, !common->quiet);
    memory_free(directory);
    return true;
}

bool command_variances(const Network *network, const Variance **kinds, int *count, Error *error)
{
    if (*count == 0)
        *count = network_variances(network, kinds);
    for (int v = 0; v < *count; v++)
        if (!network_check_variance(network, kinds[v], error))
            return false;
    return true;
}

bool command_bound_variances(const Network *network, const TrajectoryKind *trajectories, int count,
                             const Variance **kinds, int *kind_count, Error *error)
{
    const bool all = *kind_count == 0;
    if (!command_variances(network, kinds, kind_count, error))
        return false;
    for (int i = 0; all && i < count; i++)
        if (trajectories[i] == TRAJECTORY_DP)
            *kind_count = variances_with_tables(kinds, *kind_count);
    return true;
}

bool command_features(const char *source, const char **inception, Error *error)
{
    static const char name[] = "inception=";
    const size_t length = sizeof name - 1;
    *inception = NULL;
    if (!source || strcmp(source, "classifier") == 0)
        return true;
    if (strncmp(source, name, length) != 0 || source[length] == '\0')
        return error_input(
            error, "--features: expected classifier or inception=FILE, got \"%s\"%s", source,
            strcmp(source, "inception") == 0 ? "; FILE has the weights (infer quality --help)"
                                             : "");
    *inception = source + length;
    return true;
}

uint64_t command_seed(const CommonOptions *common, const Network *network)
{
    return seed_or(common->seed, network_config(network)->seed);
}

OutputInputs command_inputs(const Network *network, const CommonOptions *common)
{
    const Config *config = network_config(network);
    OutputInputs inputs = {0};
    output_inputs_add(&inputs, "data.train of this run", config->data.train);
    output_inputs_add(&inputs, "data.test of this run", config->data.test);
    output_inputs_add(&inputs, "the recipe of --config", common->network.source.config);
    return inputs;
}
