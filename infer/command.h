/* The commands of `infer`, and what their command lines have in common.
 *
 * A command is one file with one function: it reads its options, does its work and returns false
 * with an error for main() to print. To add one: its file, its line here, its line in main.c.
 */
#pragma once

#include "base/error.h"
#include "base/options.h"
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
bool doctor_command(int argc, char **argv, Error *error);

typedef struct CommonOptions {
    NetworkOptions network;
    int64_t threads;          /* 0: as many as there are processor cores */
    Seed seed;                /* not given: the one in the checkpoint's configuration */
    int precision;            /* PrecisionChoice; network.type is what it amounts to */
    EstimateOptions estimate; /* of Cov[x_0 | x_t]; a command's own option may turn the clip off */
    bool quiet;
    bool help;
    bool version;
} CommonOptions;

/* Groups of common options; every command has the general ones. */
enum {
    COMMON_NETWORK = 1,
    COMMON_COMPUTE = 2,
    COMMON_ESTIMATE = 4, /* --average-cov, --cov-floor */
    COMMON_SCALE = 8,    /* --cov-scale, one number */
};

/* What a command's line may hold. */
typedef struct CommandLine {
    const char *usage;     /* the page that precedes the table of options in --help */
    const Option *options; /* [count]: the command's own */
    int count;
    int common; /* COMMON_... of the common ones that it has */
} CommandLine;

void common_defaults(CommonOptions *common);
void common_free(CommonOptions *common);

/* Reads the command line; applies --threads and --precision (auto is float32 here). *stop
 * becomes true when --help or --version was asked for and has been answered. */
bool command_parse(const CommandLine *line, CommonOptions *common, int argc, char **argv,
                   StringList *positional, bool *stop, Error *error);

/* "network 0123456789abcdef, seed 1234, f32": what every result depends on besides what was asked for; `network` is
 * network_identity's. Commands add what departs from their defaults, as in ", clip-cov off"; results with the
 * same text compare. Caller frees. */
char *settings_begin(const CommonOptions *common, uint64_t network, uint64_t seed);
void settings_add(char **settings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What every command that opens a network reads: the run's data, and the recipe that was named. The command adds
 * its own. */
OutputInputs command_inputs(const Network *network, const CommonOptions *common);
