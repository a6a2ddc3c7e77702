/* The command line: one table per program, from which parsing and --help both come.
 *
 *     const Option options[] = {
 *         option_heading("Sampling"),
 *         option_integer("steps", "K", &settings.steps, 1, 1000000, "reverse steps"),
 *         option_choice("sampler", "ddpm|ddim", &settings.sampler, "how to step"),
 *         option_list("set", "KEY=VALUE", &settings.overrides, "overrides one key"),
 *         option_flag("quiet", &settings.quiet, "print errors only"),
 *     };
 *
 * A target keeps the value it had when its option is not given: that is where defaults are set.
 * Options are written `--name value` or `--name=value`, in any order, mixed with the positional
 * arguments; after `--` everything is positional. Given twice, the last one counts, except in a
 * list, which collects. Strings are not copied: they point into argv.
 */
#pragma once

#include "base/error.h"
#include "base/seed.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Strings of argv in the order they came; the array is the list's, the strings are not. */
typedef struct StringList {
    const char **items;
    int count;
} StringList;

void string_list_add(StringList *list, const char *text);
void string_list_free(StringList *list);

typedef enum OptionKind {
    OPTION_HEADING, /* only a line of --help */
    OPTION_FLAG,
    OPTION_STRING,
    OPTION_INTEGER,
    OPTION_NUMBER,
    OPTION_SEED,
    OPTION_CHOICE,
    OPTION_LIST,
} OptionKind;

typedef struct Option {
    OptionKind kind;
    const char *name;        /* without the dashes */
    const char *placeholder; /* what --help calls the value; NULL for a flag */
    const char *help;
    union {
        bool *flag;
        const char **string;
        int64_t *integer;
        double *number;
        Seed *seed;
        int *choice;
        StringList *list;
    } target;
    int64_t least, most;              /* of an integer, inclusive */
    double least_number, most_number; /* of a number, inclusive */
} Option;

/* INT64_MIN, INT64_MAX, -INFINITY and INFINITY say that there is no limit. */
Option option_heading(const char *text);
Option option_flag(const char *name, bool *target, const char *help);
Option option_string(const char *name, const char *placeholder, const char **target,
                     const char *help);
Option option_integer(const char *name, const char *placeholder, int64_t *target, int64_t least,
                      int64_t most, const char *help);
Option option_number(const char *name, const char *placeholder, double *target, double least,
                     double most, const char *help);
/* What recipes take for a seed (base/seed.h). */
Option option_seed(const char *name, const char *placeholder, Seed *target, const char *help);
/* `choices` is "ddpm|ddim"; *target becomes the index of the one that was given. */
Option option_choice(const char *name, const char *choices, int *target, const char *help);
Option option_list(const char *name, const char *placeholder, StringList *target, const char *help);

/* Reads the `argc` arguments in argv, the program's name not among them. Fills the targets, and
 * `positional` with what is no option; with NULL there, such an argument is an error. `-h` stands
 * for --help where the table has one. Errors are of kind ERROR_INPUT and name the option, what
 * was expected and what came, or the nearest valid option. */
bool options_parse(const Option *options, int count, int argc, char *const *argv,
                   StringList *positional, Error *error);

/* Prints the table in two aligned columns, wrapped to 80. */
void options_print_help(const Option *options, int count, FILE *out);
