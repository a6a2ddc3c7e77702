/* Options of the library, set by name.
 *
 * A table has one row per option: its name and the function that reads its value, a text.
 * Numbers that a caller has as numbers are turned into text first, with all their digits, so
 * that there is one way in. */
#include "base/memory.h"
#include "base/nearest.h"
#include "evaluation/sampling_plan.h"
#include "library/varhead_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BATCH = 64, MAX_BATCH = 65536, MAX_THREADS = 1024, DEFAULT_STEPS = 50 };

static const double MAX_PIXEL = 1e6, MAX_SCALE = 1000;

/* -- Values ----------------------------------------------------------------------------------- */

static bool read_number(const char *text, double least, double most, double *value, Error *error)
{
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= least && number <= most))
        return error_input(error, "expected a number from %g to %g, got \"%.60s\"", least, most,
                           text);
    *value = number;
    return true;
}

static bool read_integer(const char *text, int64_t least, int64_t most, int64_t *value,
                         Error *error)
{
    double number = 0;
    Error unused;
    if (!read_number(text, (double)least, (double)most, &number, &unused) ||
        number != floor(number))
        return error_input(error, "expected an integer from %lld to %lld, got \"%.60s\"",
                           (long long)least, (long long)most, text);
    *value = (int64_t)number;
    return true;
}

static bool read_choice(const char *text, const char *first, const char *second, bool *is_first,
                        Error *error)
{
    *is_first = strcmp(text, first) == 0;
    return *is_first || strcmp(text, second) == 0 ||
           error_input(error, "expected %s or %s, got \"%.60s\"", first, second, text);
}

static bool read_switch(const char *text, bool *value, Error *error)
{
    bool on;
    if (!read_choice(text, "on", "off", &on, error))
        return false;
    *value = on;
    return true;
}

/* -- The table -------------------------------------------------------------------------------- */

static bool set_batch(VarheadOptions *o, const char *text, Error *error)
{
    return read_integer(text, 1, MAX_BATCH, &o->batch, error);
}

static bool set_threads(VarheadOptions *o, const char *text, Error *error)
{
    return read_integer(text, 1, MAX_THREADS, &o->threads, error);
}

static bool set_precision(VarheadOptions *o, const char *text, Error *error)
{
    bool is_f32;
    if (!read_choice(text, "f32", "bf16", &is_f32, error))
        return false;
    o->precision = is_f32 ? PRECISION_F32 : PRECISION_BF16;
    return true;
}

static bool set_try_files(VarheadOptions *o, const char *text, Error *error)
{
    return read_switch(text, &o->try_files, error);
}

static bool set_variance(VarheadOptions *o, const char *text, Error *error)
{
    return variance_parse(text, &o->variance, error);
}

static bool set_steps(VarheadOptions *o, const char *text, Error *error)
{
    return read_integer(text, 1, SCHEDULE_MAX_TIMESTEPS, &o->steps, error);
}

static bool set_trajectory(VarheadOptions *o, const char *text, Error *error)
{
    return trajectory_parse(text, &o->trajectory, error);
}

static bool set_seed(VarheadOptions *o, const char *text, Error *error)
{
    uint64_t seed = 0;
    if (!seed_read(&seed, text))
        return error_input(error, "expected an integer from 0 to %llu, got \"%.60s\"",
                           (unsigned long long)UINT64_MAX, text);
    o->seed = (Seed){.given = true, .value = seed};
    return true;
}

static bool set_sampler(VarheadOptions *o, const char *text, Error *error)
{
    return sampler_parse(text, &o->sampler, error);
}

static bool set_eta(VarheadOptions *o, const char *text, Error *error)
{
    return read_number(text, 0, 1, &o->eta, error);
}

static bool set_clip_x0(VarheadOptions *o, const char *text, Error *error)
{
    return read_switch(text, &o->clip_x0, error);
}

static bool set_clip_cov(VarheadOptions *o, const char *text, Error *error)
{
    if (!read_switch(text, &o->clip_cov, error))
        return false;
    o->has_clip_cov = true;
    return true;
}

static bool set_clip_pixel(VarheadOptions *o, const char *text, Error *error)
{
    return read_number(text, 0, MAX_PIXEL, &o->clip_pixel, error);
}

static bool set_average(VarheadOptions *o, const char *text, Error *error)
{
    return read_switch(text, &o->estimate.average, error);
}

static bool set_floor(VarheadOptions *o, const char *text, Error *error)
{
    return read_number(text, 0, 1, &o->estimate.floor, error);
}

static bool set_scale(VarheadOptions *o, const char *text, Error *error)
{
    return read_number(text, 0, MAX_SCALE, &o->estimate.scale, error);
}

static const struct {
    const char *name;
    bool (*set)(VarheadOptions *options, const char *text, Error *error);
} table[] = {
    {"batch", set_batch},           {"threads", set_threads},
    {"precision", set_precision},   {"try-files", set_try_files},
    {"variance", set_variance},     {"steps", set_steps},
    {"trajectory", set_trajectory}, {"seed", set_seed},
    {"sampler", set_sampler},       {"eta", set_eta},
    {"clip-x0", set_clip_x0},       {"clip-cov", set_clip_cov},
    {"clip-pixel", set_clip_pixel}, {"average-cov", set_average},
    {"cov-floor", set_floor},       {"cov-scale", set_scale},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

static bool unknown(const char *name, Error *error)
{
    const char *names[OPTIONS];
    char list[512] = "";
    for (int i = 0; i < OPTIONS; i++) {
        names[i] = table[i].name;
        strcat(strcat(list, i > 0 ? ", " : ""), names[i]);
    }
    const char *nearest = nearest_name(name, names, OPTIONS);
    if (nearest)
        return error_input(error, "unknown option \"%.60s\"; did you mean %s?", name, nearest);
    return error_input(error, "unknown option \"%.60s\"; expected one of %s", name, list);
}

static bool set(VarheadOptions *options, const char *name, const char *text, Error *error)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (strcmp(name, table[i].name) != 0)
            continue;
        VarheadOptions changed = *options;
        if (!table[i].set(&changed, text, error))
            return error_prefix(error, "%s", name);
        *options = changed;
        return true;
    }
    return unknown(name, error);
}

/* -- Public ----------------------------------------------------------------------------------- */

static VarheadOptions defaults(void)
{
    return (VarheadOptions){.batch = DEFAULT_BATCH,
                            .precision = PRECISION_F32,
                            .sampler = SAMPLER_DDPM,
                            .trajectory = TRAJECTORY_LINEAR,
                            .eta = NAN,
                            .clip_pixel = NAN,
                            .clip_x0 = true,
                            .estimate = estimate_defaults()};
}

VarheadOptions *varhead_options_new(void)
{
    VarheadOptions *options = malloc(sizeof *options);
    if (options)
        *options = defaults();
    return options;
}

void varhead_options_free(VarheadOptions *options)
{
    free(options);
}

int varhead_set(VarheadOptions *options, const char *name, const char *value, VarheadError *error)
{
    Call call;
    bool ok = call_begin(&call) && call_has(options, "options", &call.error) &&
              call_has(name, "name", &call.error) && call_has(value, "value", &call.error) &&
              set(options, name, value, &call.error);
    return call_end(&call, ok, error);
}

int varhead_set_number(VarheadOptions *options, const char *name, double value, VarheadError *error)
{
    Call call;
    char text[40];
    bool ok = call_begin(&call) && call_has(options, "options", &call.error) &&
              call_has(name, "name", &call.error);
    snprintf(text, sizeof text, "%.17g", value);
    ok = ok && set(options, name, text, &call.error);
    return call_end(&call, ok, error);
}

/* -- What they mean for a model --------------------------------------------------------------- */

VarheadOptions options_or_defaults(const VarheadOptions *options)
{
    return options ? *options : defaults();
}

bool options_variance(const VarheadOptions *options, const VarheadModel *model,
                      const Variance **variance, Error *error)
{
    *variance = options->variance ? options->variance
                                  : sampling_default_variance(model->network, options->sampler);
    return network_check_variance(model->network, *variance, error);
}

EstimateOptions options_estimate(const VarheadOptions *options)
{
    EstimateOptions estimate = options->estimate;
    estimate.clip = options->has_clip_cov ? options->clip_cov : options->clip_x0;
    return estimate;
}

bool options_steps(const VarheadOptions *options, const VarheadModel *model, int *steps,
                   Error *error)
{
    const int all = network_schedule(model->network)->timesteps;
    const int default_steps = all < DEFAULT_STEPS ? all : DEFAULT_STEPS;
    *steps = options->steps > 0 ? (int)options->steps : default_steps;
    return *steps <= all ||
           error_input(error, "steps: a trajectory has from 1 to %d steps, not %d", all, *steps);
}

bool options_timesteps(const VarheadOptions *options, const VarheadModel *model,
                       const Variance *variance, int steps, int **timesteps, Error *error)
{
    const EstimateOptions estimate = options_estimate(options);
    *timesteps = memory_small((size_t)steps + 1, sizeof **timesteps);
    return sampling_timesteps(model->network, options->trajectory, variance, &estimate, steps,
                              *timesteps, error) ||
           error_prefix(error, "trajectory");
}
