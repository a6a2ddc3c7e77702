/* Reads the command line by a table of options, and prints the table for --help. */
#include "base/options.h"

#include "base/memory.h"
#include "base/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void string_list_add(StringList *list, const char *text)
{
    list->items = memory_grow(list->items, (size_t)list->count + 1, sizeof *list->items);
    list->items[list->count++] = text;
}

void string_list_free(StringList *list)
{
    memory_free(list->items);
    *list = (StringList){0};
}

/* -- The entries of a table -------------------------------------------------------------------- */

Option option_heading(const char *text)
{
    return (Option){.kind = OPTION_HEADING, .help = text};
}

Option option_flag(const char *name, bool *target, const char *help)
{
    return (Option){.kind = OPTION_FLAG, .name = name, .help = help, .target.flag = target};
}

Option option_string(const char *name, const char *placeholder, const char **target,
                     const char *help)
{
    return (Option){.kind = OPTION_STRING,
                    .name = name,
                    .placeholder = placeholder,
                    .help = help,
                    .target.string = target};
}

Option option_integer(const char *name, const char *placeholder, int64_t *target, int64_t min,
                      int64_t max, const char *help)
{
    return (Option){.kind = OPTION_INTEGER,
                    .name = name,
                    .placeholder = placeholder,
                    .help = help,
                    .target.integer = target,
                    .min = min,
                    .max = max};
}

Option option_number(const char *name, const char *placeholder, double *target, double min,
                     double max, const char *help)
{
    return (Option){.kind = OPTION_NUMBER,
                    .name = name,
                    .placeholder = placeholder,
                    .help = help,
                    .target.number = target,
                    .min_number = min,
                    .max_number = max};
}

Option option_seed(const char *name, const char *placeholder, Seed *target, const char *help)
{
    return (Option){.kind = OPTION_SEED,
                    .name = name,
                    .placeholder = placeholder,
                    .help = help,
                    .target.seed = target};
}

Option option_choice(const char *name, const char *choices, int *target, const char *help)
{
    return (Option){.kind = OPTION_CHOICE,
                    .name = name,
                    .placeholder = choices,
                    .help = help,
                    .target.choice = target};
}

Option option_list(const char *name, const char *placeholder, StringList *target, const char *help)
{
    return (Option){.kind = OPTION_LIST,
                    .name = name,
                    .placeholder = placeholder,
                    .help = help,
                    .target.list = target};
}

/* -- Values ------------------------------------------------------------------------------------ */

/* strtoll and strtod skip white space before a number; here it is an error, as it is behind one. */
static bool begins_number(const char *text)
{
    return *text != '\0' && !isspace((unsigned char)*text);
}

static bool read_integer(const Option *option, const char *text, Error *error)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (begins_number(text) && *end == '\0' && errno == 0 && value >= option->min &&
        value <= option->max) {
        *option->target.integer = value;
        return true;
    }
    if (option->min == INT64_MIN && option->max == INT64_MAX)
        return error_input(error, "--%s: expected an integer, got \"%s\"", option->name, text);
    if (option->max == INT64_MAX)
        return error_input(error, "--%s: expected an integer of at least %" PRId64 ", got \"%s\"",
                           option->name, option->min, text);
    if (option->min == INT64_MIN)
        return error_input(error, "--%s: expected an integer of at most %" PRId64 ", got \"%s\"",
                           option->name, option->max, text);
    return error_input(error,
                       "--%s: expected an integer from %" PRId64 " to %" PRId64 ", got \"%s\"",
                       option->name, option->min, option->max, text);
}

static bool read_number(const Option *option, const char *text, Error *error)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (begins_number(text) && *end == '\0' && isfinite(value) && value >= option->min_number &&
        value <= option->max_number) {
        *option->target.number = value;
        return true;
    }
    bool has_min = isfinite(option->min_number), has_max = isfinite(option->max_number);
    if (!has_min && !has_max)
        return error_input(error, "--%s: expected a number, got \"%s\"", option->name, text);
    if (!has_max)
        return error_input(error, "--%s: expected a number of at least %g, got \"%s\"",
                           option->name, option->min_number, text);
    if (!has_min)
        return error_input(error, "--%s: expected a number of at most %g, got \"%s\"", option->name,
                           option->max_number, text);
    return error_input(error, "--%s: expected a number from %g to %g, got \"%s\"", option->name,
                       option->min_number, option->max_number, text);
}

static bool read_seed(const Option *option, const char *text, Error *error)
{
    if (!seed_read(&option->target.seed->value, text))
        return error_input(error, "--%s: expected an integer from 0 to %" PRIu64 ", got \"%s\"",
                           option->name, UINT64_MAX, text);
    option->target.seed->given = true;
    return true;
}

static bool read_choice(const Option *option, const char *text, Error *error)
{
    const char *choice = option->placeholder;
    for (int index = 0;; index++) {
        size_t length = strcspn(choice, "|");
        if (strlen(text) == length && strncmp(text, choice, length) == 0) {
            *option->target.choice = index;
            return true;
        }
        if (choice[length] == '\0')
            break;
        choice += length + 1;
    }
    return error_input(error, "--%s: expected one of %s, got \"%s\"", option->name,
                       option->placeholder, text);
}

static bool read_value(const Option *option, const char *text, Error *error)
{
    switch (option->kind) {
    case OPTION_INTEGER:
        return read_integer(option, text, error);
    case OPTION_NUMBER:
        return read_number(option, text, error);
    case OPTION_SEED:
        return read_seed(option, text, error);
    case OPTION_CHOICE:
        return read_choice(option, text, error);
    case OPTION_STRING:
    case OPTION_LIST:
        if (*text == '\0')
            return error_input(error, "--%s: expected %s, got nothing", option->name,
                               option->placeholder);
        if (option->kind == OPTION_STRING)
            *option->target.string = text;
        else
            string_list_add(option->target.list, text);
        return true;
    case OPTION_HEADING:
    case OPTION_FLAG:
        break; /* these have no value */
    }
    return true;
}

/* -- Arguments --------------------------------------------------------------------------------- */

static const Option *find(const Option *options, int count, const char *name, size_t length)
{
    for (int i = 0; i < count; i++) {
        if (options[i].kind != OPTION_HEADING && strlen(options[i].name) == length &&
            strncmp(options[i].name, name, length) == 0)
            return &options[i];
    }
    return NULL;
}

/* `argument` is the whole argument, dashes included; its name is the `length` letters at `name`. */
static bool unknown_option(const Option *options, int count, const char *argument, const char *name,
                           size_t length, Error *error)
{
    const char **names = memory_small((size_t)count, sizeof *names);
    int named = 0;
    for (int i = 0; i < count; i++) {
        if (options[i].kind != OPTION_HEADING)
            names[named++] = options[i].name;
    }
    char *word = memory_format("%.*s", (int)length, name);
    const char *nearest = nearest_name(word, names, named);
    int shown = (int)(name - argument) + (int)length;
    if (nearest != NULL)
        error_input(error, "unknown option %.*s; did you mean --%s?", shown, argument, nearest);
    else
        error_input(error, "unknown option %.*s; --help lists the options", shown, argument);
    memory_free(word);
    memory_free(names);
    return false;
}

bool options_parse(const Option *options, int count, int argc, char *const *argv,
                   StringList *positional, Error *error)
{
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        if (!only_positional && strcmp(argument, "--") == 0) {
            only_positional = true;
            continue;
        }
        if (only_positional || argument[0] != '-' || argument[1] == '\0') {
            if (positional == NULL)
                return error_input(error, "unexpected argument \"%s\"; options begin with --",
                                   argument);
            string_list_add(positional, argument);
            continue;
        }

        const char *name = argument + strspn(argument, "-");
        size_t length = strcspn(name, "=");
        const char *value = name[length] == '=' ? name + length + 1 : NULL;
        const Option *option = NULL;
        if (strcmp(argument, "-h") == 0)
            option = find(options, count, "help", strlen("help"));
        else if (name - argument == 2)
            option = find(options, count, name, length);
        if (option == NULL)
            return unknown_option(options, count, argument, name, length, error);

        if (option->kind == OPTION_FLAG) {
            if (value != NULL)
                return error_input(error, "--%s takes no value, got \"%s\"", option->name, value);
            *option->target.flag = true;
            continue;
        }
        if (value == NULL) {
            /* The value is the next argument. If that looks like an option, the value was probably
             * forgotten; --name=--value gives such a value. */
            if (i + 1 >= argc || strncmp(argv[i + 1], "--", 2) == 0)
                return error_input(error, "--%s needs a value: --%s %s", option->name, option->name,
                                   option->placeholder);
            value = argv[++i];
        }
        if (!read_value(option, value, error))
            return false;
    }
    return true;
}

/* -- Help -------------------------------------------------------------------------------------- */

enum { HELP_WIDTH = 80, HELP_INDENT = 2, HELP_GAP = 2, HELP_WIDEST = 30 };

/* "--name PLACEHOLDER" of an option; its width. */
static int format_option(const Option *option, char *text, size_t size)
{
    return snprintf(text, size, "--%s%s%s", option->name, option->placeholder != NULL ? " " : "",
                    option->placeholder != NULL ? option->placeholder : "");
}

/* Words of `text` from column `column` on, wrapped before HELP_WIDTH, ended by a newline. */
static void print_wrapped(const char *text, int column, FILE *out)
{
    int at = column;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (at > column && at + 1 + length > HELP_WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        }
        if (at > column) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", length, text);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void options_print_help(const Option *options, int count, FILE *out)
{
    char text[128];
    int widest = 0;
    for (int i = 0; i < count; i++) {
        if (options[i].kind == OPTION_HEADING)
            continue;
        int width = format_option(&options[i], text, sizeof text);
        if (width > widest && width <= HELP_WIDEST)
            widest = width;
    }

    int column = HELP_INDENT + widest + HELP_GAP;
    for (int i = 0; i < count; i++) {
        if (options[i].kind == OPTION_HEADING) {
            fprintf(out, "%s%s\n", i > 0 ? "\n" : "", options[i].help);
            continue;
        }
        int width = format_option(&options[i], text, sizeof text);
        fprintf(out, "%*s%-*s", HELP_INDENT, "", widest + HELP_GAP, text);
        if (width > widest)
            fprintf(out, "\n%*s", column, "");
        print_wrapped(options[i].help, column, out);
    }
}
