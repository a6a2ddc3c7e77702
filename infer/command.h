/* The commands of `infer`, and the pieces that their command lines share.
 *
 * A command is a function that reads its options, does its work, and returns false with an error
 * for main() to print. To add one: its file, its line here, its line in main.c.
 *
 * A command gives the table of its own options and names the groups of common ones; both --help and
 * the parser read the joined table. Single options that several commands have are functions
 * (option_variances).
 */
#pragma once

#include "base/error.h"
#include "base/options.h"
#include "diffusion/trajectory.h"
#include "infer/corrections.h"
#include "inference/full_options.h"
#include "inference/network.h"
#include "io/output.h"
#include "variance/estimate.h"

#include <stdbool.h>
#include <stdint.h>

/* argv begins after the command's name. */
bool sample_command(int argc, char **argv, Error *error);
bool compare_command(int argc, char **argv, Error *error);
bool predict_command(int argc, char **argv, Error *error);
bool nll_command(int argc, char **argv, Error *error);
bool quality_command(int argc, char **argv, Error *error);
bool analytic_command(int argc, char **argv, Error *error);
bool truth_command(int argc, char **argv, Error *error);
bool info_command(int argc, char **argv, Error *error);
bool data_command(int argc, char **argv, Error *error);
bool export_command(int argc, char **argv, Error *error);
bool import_command(int argc, char **argv, Error *error);
bool doctor_command(int argc, char **argv, Error *error);

/* -- Groups of common options ----------------------------------------------------------------- */

/* The values of an option "on|off". */
enum { SWITCH_ON, SWITCH_OFF, SWITCH_UNSET = -1 };

/* How samples are drawn. */
typedef struct SamplingOptions {
    /* TrajectoryKind */
    int trajectory;
    /* NAN: the default of the sampler. */
    double eta, clip_pixel;
} SamplingOptions;

typedef struct CommonOptions {
    NetworkOptions network;
    /* 0: as many as there are processor cores. */
    int64_t threads;
    /* Not given: the seed in the checkpoint's configuration. */
    Seed seed;
    /* PrecisionChoice; network.type is the type that it amounts to. */
    int precision;
    /* ConvolutionChoice; network.direct is what it amounts to. */
    int convolution;
    /* SWITCH_...; SWITCH_UNSET leaves estimate.clip as it is. */
    int clip_cov;
    /* What is done to an estimate of Cov[x_0 | x_t]. */
    EstimateOptions estimate;
    SamplingOptions sampling;
    /* How the variance full is computed; samples read its krylov alone. */
    FullOptions full;
    /* Corrections of the mean; corrections_read makes a list of them. */
    CorrectionOptions correction;
    bool quiet;
    bool help;
    bool version;
} CommonOptions;

/* Every command has the general options, --quiet, --help and --version. */
enum {
    COMMON_NETWORK = 1,
    COMMON_COMPUTE = 2,
    COMMON_ESTIMATE = 4,    /* --average-cov */
    COMMON_FLOOR = 128,     /* --cov-floor, one number */
    COMMON_SCALE = 8,       /* --cov-scale, one number */
    COMMON_CLIP = 16,       /* --clip-cov */
    COMMON_SAMPLING = 32,   /* --trajectory, one; --eta, --clip-pixel, --krylov */
    COMMON_CORRECTION = 64, /* --eps-scale, --dcw */
    COMMON_FULL = 256,      /* --krylov, --probes, --dense; not beside COMMON_SAMPLING */
};

/* The command line of a command. */
typedef struct CommandLine {
    /* The page that precedes the table of options in --help. */
    const char *usage;
    /* [count]: the command's own. */
    const Option *options;
    int count;
    /* COMMON_... */
    int common;
} CommandLine;

void common_defaults(CommonOptions *common);
void common_free(CommonOptions *common);

/* Reads the command line, and applies --threads and --precision (auto is float32 here). If
 * --help or --version was given it prints the answer, sets *stop, and does nothing else. */
bool command_parse(const CommandLine *line, CommonOptions *common, int argc, char **argv,
                   StringList *positional, bool *stop, Error *error);

/* -- Single options of several commands -------------------------------------------------------- */

/* A line of a usage text in whose place --help prints a line for each variance of the table. */
#define COMMAND_VARIANCE_LINES "@variances\n"

/* The help of --steps, where `defaults` is a literal list. */
#define COMMAND_STEPS_HELP(defaults) "numbers of steps, 1 to N (default: " defaults ")"

/* The numbers of steps that commands take if --steps is not given. */
#define COMMAND_SAMPLING_STEPS "10,25,50"
#define COMMAND_BOUND_STEPS "10,25,50,100"

/* --variance LIST: its help is the names of all variances and then `more`. */
Option option_variances(const char **list, const char *more);

/* `more` where the default is all that the network has (command_variances). */
#define COMMAND_ALL_VARIANCES ", with commas between (default: all that the network has)"

/* --data FILE, the training images; by default those of the configuration. */
Option option_training_images(const char **path);

/* --out FILE, the table of results (results.h). */
Option option_results(const char **path);

/* --features SOURCE, which command_features reads. */
Option option_features(const char **source);

/* -- What commands make of their options ------------------------------------------------------- */

/* Opens the network of the options, and says that a cache of pictures belongs into its run's
 * directory. The caller closes *network. */
bool command_open_network(const CommonOptions *common, Network **network, Error *error);

/* An input error if one of the variances is full and the network computes in bfloat16, or if none is
 * and --krylov was given. */
bool command_check_full(const CommonOptions *common, const Network *network,
                        const Variance *const *variances, int count, Error *error);

/* kinds [VARIANCE_COUNT], as --variance listed them, becomes all that the network has if *count
 * is 0. An input error if the network lacks a head or constants that one of them needs. */
bool command_variances(const Network *network, const Variance **kinds, int *count, Error *error);

/* The same for bounds on trajectories [count]. If dp is one of them, "all" leaves out the variances
 * that dp has no tables of. */
bool command_bound_variances(const Network *network, const TrajectoryKind *trajectories, int count,
                             const Variance **kinds, int *kind_count, Error *error);

/* *inception := the file of --features inception=FILE, a part of `source`; NULL for classifier and
 * where the option was not given (source NULL). An input error for anything else. */
bool command_features(const char *source, const char **inception, Error *error);

/* --seed, or the seed in the checkpoint's configuration. */
uint64_t command_seed(const CommonOptions *common, const Network *network);

/* The files that every command with a network reads: the run's data, and the recipe of --config.
 * The command adds its own. */
OutputInputs command_inputs(const Network *network, const CommonOptions *common);
