/* Reads lists with commas between.
 *
 * All lists are read by one function. A rule has the differences: the option, for errors; the size
 * of an item; and a function that reads one.
 */
#include "infer/lists.h"

#include "base/list.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef union Item {
    const Variance *variance;
    TrajectoryKind trajectory;
    Sampler sampler;
    int steps;
    double number;
} Item;

typedef struct ListRule {
    const char *option;
    /* The size of an item, which begins where the Item does. */
    size_t size;
    /* The most items that the array takes. */
    int max;
    bool (*read)(const char *text, Item *item, Error *error);
} ListRule;

/* -- Items ------------------------------------------------------------------------------------ */

static bool read_variance(const char *text, Item *item, Error *error)
{
    return variance_parse(text, &item->variance, error);
}

static bool read_trajectory(const char *text, Item *item, Error *error)
{
    return trajectory_parse(text, &item->trajectory, error);
}

static bool read_sampler(const char *text, Item *item, Error *error)
{
    return sampler_parse(text, &item->sampler, error);
}

static bool read_steps(const char *text, Item *item, Error *error)
{
    char *end = NULL;
    const long value = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 ||
        value > SCHEDULE_MAX_TIMESTEPS)
        return error_input(error, "expected a number of steps, 1 or more, got \"%s\"", text);
    item->steps = (int)value;
    return true;
}

double lists_number(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    return strtod(text, NULL) + 0.0; /* makes 0 of -0, so that equal items have equal bytes */
}

/* A number from 0 to `most`. */
static bool read_number(const char *text, double most, double *value, Error *error)
{
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= 0 && number <= most))
        return error_input(error, "expected a number from 0 to %g, got \"%s\"", most, text);
    *value = lists_number(number);
    return true;
}

static bool read_scale(const char *text, Item *item, Error *error)
{
    return read_number(text, LISTS_MAX_SCALE, &item->number, error);
}

static bool read_floor(const char *text, Item *item, Error *error)
{
    return read_number(text, 1, &item->number, error);
}

/* -- Lists ------------------------------------------------------------------------------------ */

static bool add(const ListRule *rule, const char *text, char *items, int *count, Error *error)
{
    Item item;
    if (!rule->read(text, &item, error))
        return error_prefix(error, "%s", rule->option);
    for (int i = 0; i < *count; i++)
        if (memcmp(items + (size_t)i * rule->size, &item, rule->size) == 0)
            return error_input(error, "%s: %s is given twice", rule->option, text);
    if (*count == rule->max)
        return error_input(error, "%s: expected at most %d numbers", rule->option, rule->max);
    memcpy(items + (size_t)(*count)++ * rule->size, &item, rule->size);
    return true;
}

static bool read_list(const ListRule *rule, const char *list, void *items, int *count, Error *error)
{
    bool ok = true;
    for (char *text; ok && (text = list_next(&list)) != NULL; memory_free(text))
        ok = add(rule, text, items, count, error);
    return ok;
}

bool lists_variances(const char *list, const Variance **kinds, int *count, Error *error)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an item is a pointer */
    const ListRule rule = {"--variance", sizeof *kinds, VARIANCE_COUNT, read_variance};
    return read_list(&rule, list, kinds, count, error);
}

bool lists_trajectories(const char *list, TrajectoryKind *kinds, int *count, Error *error)
{
    const ListRule rule = {"--trajectory", sizeof *kinds, TRAJECTORY_KINDS, read_trajectory};
    return read_list(&rule, list, kinds, count, error);
}

bool lists_samplers(const char *list, Sampler *samplers, int *count, Error *error)
{
    const ListRule rule = {"--sampler", sizeof *samplers, LISTS_SAMPLERS, read_sampler};
    return read_list(&rule, list, samplers, count, error);
}

bool lists_steps(const char *list, int *steps, int *count, Error *error)
{
    const ListRule rule = {"--steps", sizeof *steps, LISTS_MAX_STEPS, read_steps};
    return read_list(&rule, list, steps, count, error);
}

bool lists_floors(const char *list, double *floors, int *count, Error *error)
{
    const ListRule rule = {"--cov-floor", sizeof *floors, LISTS_MAX_FLOORS, read_floor};
    return read_list(&rule, list, floors, count, error);
}

bool lists_scales(const char *list, double *scales, int *count, Error *error)
{
    const ListRule rule = {"--cov-scale", sizeof *scales, LISTS_MAX_SCALES, read_scale};
    return read_list(&rule, list, scales, count, error);
}

bool lists_complete_steps(const char *defaults, int timesteps, int *steps, int *count, Error *error)
{
    if (*count == 0) {
        int all = 0;
        if (!lists_steps(defaults, steps, &all, error))
            return false;
        for (int k = 0; k < all; k++)
            if (steps[k] <= timesteps)
                steps[(*count)++] = steps[k];
        if (*count == 0)
            steps[(*count)++] = timesteps;
    }
    for (int k = 0; k < *count; k++)
        if (steps[k] > timesteps)
            return error_input(error, "--steps: a trajectory has from 1 to %d steps, not %d",
                               timesteps, steps[k]);
    return true;
}
