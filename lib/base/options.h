/* The command line: one table per command, by which arguments are read and --help is printed.
 *
 *     const Option options[] = {
 *         option_heading("Sampling"),
 *         option_integer("steps", "K", &settings.steps, 1, 1000000, "reverse steps"),
 *         option_choice("sampler", "ddpm|ddim", &settings.sampler, "how to step"),
 *         option_list("set", "KEY=VALUE", &settings.overrides, "overrides one key"),
 *         option_flag("quiet", &settings.quiet, "print errors only"),
 *     };
 *
 * If an option is not given, its target keeps its value: that is how defaults are set. Options are
 * written `--name value` or `--name=value`, in any order, mixed with the positional arguments;
 * after `--` everything is positional. If an option is given twice, the last one counts, except for
 * a list, which collects all. Strings are not copied: they point into argv.
 */
#pragma once

#include "base/error.h"
#include "base/seed.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Strings of argv in their order. The list owns the array, not the strings. */
typedef struct StringList {
    const char **items;
    int count;
} StringList;

void string_list_add(StringList *list, const char *text);
void string_list_free(StringList *list);

typedef enum OptionKind {
    /* Only a line of --help. */
    OPTION_HEADING,
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
    /* Without the dashes. */
    const char *name;
    /* The value's name in --help; NULL for a flag. */
    const char *placeholder;
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
    /* The range of an integer, and of a number; both ends belong to it. */
    int64_t min, max;
    double min_number, max_number;
} Option;

/* Entries of a table. INT64_MIN, INT64_MAX, -INFINITY and INFINITY mean that there is no limit. */
Option option_heading(const char *text);
Option option_flag(const char *name, bool *target, const char *help);
Option option_string(const char *name, const char *placeholder, const char **target,
                     const char *help);
Option option_integer(const char *name, const char *placeholder, int64_t *target, int64_t min,
                      int64_t max, const char *help);
Option option_number(const char *name, const char *placeholder, double *target, double min,
                     double max, const char *help);
/* A seed as in recipes (base/seed.h). */
Option option_seed(const char *name, const char *placeholder, Seed *target, const char *help);
/* `choices` is "ddpm|ddim"; *target becomes the index of the given one. */
Option option_choice(const char *name, const char *choices, int *target, const char *help);
Option option_list(const char *name, const char *placeholder, StringList *target, const char *help);

/* Reads the `argc` arguments in argv, which does not hold the program's name. Fills the targets,
 * and `positional` with the arguments that are no options; if it is NULL, such an argument is an
 * error. `-h` stands for --help if the table has it. An input error names the option, the expected
 * value and the given one, or the nearest valid option. */
bool options_parse(const Option *options, int count, int argc, char *const *argv,
                   StringList *positional, Error *error);

/* Prints the table in two aligned columns, wrapped to 80. */
void options_print_help(const Option *options, int count, FILE *out);
