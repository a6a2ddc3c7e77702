#include "infer/lists.h"

#include "base/list.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static bool add_variance(const char *item, VarianceKind *kinds, int *count, Error *error)
{
    VarianceKind kind;
    if (!variance_parse(item, &kind, error))
        return error_prefix(error, "--variance");
    for (int i = 0; i < *count; i++)
        if (kinds[i] == kind)
            return error_input(error, "--variance: %s is given twice", item);
    kinds[(*count)++] = kind;
    return true;
}

static bool add_trajectory(const char *item, TrajectoryKind *kinds, int *count, Error *error)
{
    TrajectoryKind kind;
    if (!trajectory_parse(item, &kind, error))
        return error_prefix(error, "--trajectory");
    for (int i = 0; i < *count; i++)
        if (kinds[i] == kind)
            return error_input(error, "--trajectory: %s is given twice", item);
    kinds[(*count)++] = kind;
    return true;
}

static bool add_steps(const char *item, int *steps, int *count, Error *error)
{
    char *end = NULL;
    long value = strtol(item, &end, 10);
    if (item[0] < '0' || item[0] > '9' || *end != '\0' || value < 1 ||
        value > SCHEDULE_MAX_TIMESTEPS)
        return error_input(error, "--steps: expected a number of steps, 1 or more, got \"%s\"",
                           item);
    for (int i = 0; i < *count; i++)
        if (steps[i] == value)
            return error_input(error, "--steps: %s is given twice", item);
    if (*count == LISTS_MAX_STEPS)
        return error_input(error, "--steps: expected at most %d numbers", LISTS_MAX_STEPS);
    steps[(*count)++] = (int)value;
    return true;
}

static bool add_sampler(const char *item, Sampler *samplers, int *count, Error *error)
{
    Sampler sampler;
    if (!sampler_parse(item, &sampler, error))
        return error_prefix(error, "--sampler");
    for (int i = 0; i < *count; i++)
        if (samplers[i] == sampler)
            return error_input(error, "--sampler: %s is given twice", item);
    samplers[(*count)++] = sampler;
    return true;
}

static bool add_scale(const char *item, double *scales, int *count, Error *error)
{
    char *end = NULL;
    const double value = strtod(item, &end);
    if (end == item || *end != '\0' || !(value >= 0 && value <= LISTS_MOST_SCALE))
        return error_input(error, "--cov-scale: expected a number from 0 to %d, got \"%s\"",
                           LISTS_MOST_SCALE, item);
    for (int i = 0; i < *count; i++)
        if (scales[i] == value)
            return error_input(error, "--cov-scale: %s is given twice", item);
    if (*count == LISTS_MAX_SCALES)
        return error_input(error, "--cov-scale: expected at most %d numbers", LISTS_MAX_SCALES);
    scales[(*count)++] = value;
    return true;
}

bool lists_variances(const char *list, VarianceKind *kinds, int *count, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_variance(item, kinds, count, error);
    return ok;
}

bool lists_trajectories(const char *list, TrajectoryKind *kinds, int *count, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_trajectory(item, kinds, count, error);
    return ok;
}

bool lists_samplers(const char *list, Sampler *samplers, int *count, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_sampler(item, samplers, count, error);
    return ok;
}

bool lists_steps(const char *list, int *steps, int *count, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_steps(item, steps, count, error);
    return ok;
}

bool lists_scales(const char *list, double *scales, int *count, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_scale(item, scales, count, error);
    return ok;
}
