/* The tables and the pictures of other commands: what is there and holds what is asked, or new ones. */
#include "infer/compare/compare_reuse.h"

#include "base/memory.h"
#include "base/note.h"
#include "evaluation/dp.h"
#include "hdf5/hdf5_file.h"
#include "inference/images.h"
#include "io/output.h"
#include "model/precision.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GRID_SAMPLES = 9, DEFAULT_IMAGES = 20 };

static const Sampler bounds_sampler[] = {SAMPLER_DDPM};

/* -- Other commands, as a user would call them ------------------------------------------------ */

enum { CALL_MOST_VALUES = 16 };

typedef struct Call {
    StringList arguments;
    char *made[CALL_MOST_VALUES]; /* those of the arguments that are this call's own */
    int made_count;
} Call;

static void add(Call *call, const char *option, char *value)
{
    assert(call->made_count < CALL_MOST_VALUES);
    string_list_add(&call->arguments, option);
    string_list_add(&call->arguments, value);
    call->made[call->made_count++] = value;
}

/* Adds to a list with commas between. */
static void append(char **list, const char *item)
{
    char *longer = memory_format("%s%s%s", *list, **list ? "," : "", item);
    memory_free(*list);
    *list = longer;
}

/* Those that one of the samplers can use. */
static char *variances_text(const Comparison *c, const Sampler *samplers, int count)
{
    char *text = memory_string("");
    for (int v = 0; v < c->variance_count; v++) {
        bool possible = false;
        for (int i = 0; !possible && i < count; i++)
            possible = compare_possible(samplers[i], c->variances[v]);
        if (possible)
            append(&text, variance_name(c->variances[v]));
    }
    return text;
}

static char *steps_text(const Comparison *c)
{
    char *text = memory_string("");
    for (int k = 0; k < c->steps_count; k++) {
        char *number = memory_format("%d", c->steps[k]);
        append(&text, number);
        memory_free(number);
    }
    return text;
}

static char *trajectories_text(const Comparison *c)
{
    char *text = memory_string("");
    for (int i = 0; i < c->trajectory_count; i++)
        append(&text, trajectory_name(c->trajectories[i]));
    return text;
}

static char *samplers_text(const Comparison *c)
{
    char *text = memory_string("");
    for (int i = 0; i < c->sampler_count; i++)
        append(&text, sampler_name(c->samplers[i]));
    return text;
}

/* What all commands are asked; the samplers are those of the variances that the call is for. */
static Call call_begin(const Comparison *c, const Sampler *samplers, int sampler_count)
{
    static const char *const precisions[] = {
        [PRECISION_AUTO] = "auto", [PRECISION_F32] = "f32", [PRECISION_BF16] = "bf16"};
    Call call = {0};
    const CommonOptions *common = c->common;
    add(&call, "--variance", variances_text(c, samplers, sampler_count));
    add(&call, "--steps", steps_text(c));
    add(&call, "--precision", memory_string(precisions[common->precision]));
    if (common->seed.given)
        add(&call, "--seed", memory_format("%llu", (unsigned long long)common->seed.value));
    if (common->estimate.average)
        string_list_add(&call.arguments, "--average-cov");
    add(&call, "--cov-floor", memory_format("%.17g", common->estimate.floor));
    add(&call, "--cov-scale", memory_format("%.17g", common->estimate.scale));
    return call;
}

/* All that infer sample has been asked so far and what else its samples depend on, in one line. */
static char *sample_text(const Call *call, const Comparison *c)
{
    char *text = memory_format("of %s, as", c->settings);
    for (int i = 0; i < call->arguments.count; i++) {
        char *longer = memory_format("%s %s", text, call->arguments.items[i]);
        memory_free(text);
        text = longer;
    }
    return text;
}

/* Where from, where to, and what the results do not depend on. */
static void call_places(Call *call, const Comparison *c, const char *out)
{
    const CommonOptions *common = c->common;
    add(call, "--run", memory_string(network_run(c->network)));
    add(call, "--out", memory_string(out));
    if (common->network.batch)
        add(call, "--batch", memory_format("%lld", (long long)common->network.batch));
    if (common->threads)
        add(call, "--threads", memory_format("%lld", (long long)common->threads));
    if (common->quiet)
        string_list_add(&call->arguments, "--quiet");
}

/* The commands that keep what is unfinished have an option not to use it. */
static void add_fresh(Call *call, const Comparison *c)
{
    if (c->fresh)
        string_list_add(&call->arguments, "--fresh");
}

static void call_free(Call *call)
{
    for (int i = 0; i < call->made_count; i++)
        memory_free(call->made[i]);
    string_list_free(&call->arguments);
}

static bool call_end(Call *call, bool (*command)(int argc, char **argv, Error *error), Error *error)
{
    const bool ok = command(call->arguments.count, (char **)call->arguments.items, error);
    call_free(call);
    return ok;
}

/* -- Tables ----------------------------------------------------------------------------------- */

static bool holds(const Comparison *c, const Csv *table, CompareKey key, int64_t images)
{
    for (int v = 0; v < c->variance_count; v++) {
        key.variance = c->labels[v].text;
        for (int k = 0; k < c->steps_count; k++) {
            key.steps = c->steps[k];
            const int row = compare_row(table, &key);
            const bool wanted = compare_possible(key.sampler, c->variances[v]);
            if (wanted && (row < 0 || !(csv_number(table, row, "images") >= (double)images)))
                return false;
        }
    }
    return true;
}

static bool holds_bounds(const Comparison *c)
{
    for (int i = 0; i < c->trajectory_count; i++)
        if (!holds(c, &c->nll,
                   (CompareKey){.trajectory = c->trajectories[i], .sampler = SAMPLER_DDPM},
                   c->images))
            return false;
    return true;
}

static bool holds_metric(const Comparison *c, const char *metric)
{
    for (int i = 0; i < c->sampler_count; i++)
        if (!holds(c, &c->quality,
                   (CompareKey){.trajectory = TRAJECTORY_LINEAR,
                                .sampler = c->samplers[i],
                                .metric = metric},
                   c->any_samples ? 0 : c->samples))
            return false;
    return true;
}

static bool holds_quality(const Comparison *c)
{
    for (int m = 0; m < COMPARE_METRICS; m++)
        if (!holds_metric(c, compare_metrics[m].name))
            return false;
    return true;
}

/* The terms of a table, or all resamples: the HDF5 file `name`, if it was made as this comparison would make
 * it. NULL if not. */
static Hdf5File *open_alike(const Comparison *c, const char *directory, const char *name)
{
    char *path = memory_format("%s/%s", directory, name), *settings = NULL;
    Hdf5File *file = NULL;
    Error ignored = {0};
    if (access(path, F_OK) == 0 && hdf5_open(&file, path, &ignored) &&
        (!hdf5_read_attribute_string(file, "/", "settings", &settings, &ignored) ||
         strcmp(settings, c->settings) != 0)) {
        hdf5_close(file);
        file = NULL;
    }
    memory_free(path);
    memory_free(settings);
    return file;
}

/* The best timesteps of a variance may have been found anew, on other images, since the bounds on them. */
static bool dp_is_the_same(const Comparison *c, Hdf5File *terms, int v, int steps)
{
    Error ignored = {0};
    const int64_t dims[1] = {steps + 1};
    int *now = memory_small((size_t)dims[0], sizeof *now);
    int64_t *then = memory_small((size_t)dims[0], sizeof *then);
    char *name = memory_format("%s/dp_%d/timesteps", c->labels[v].text, steps);
    bool same =
        dp_trajectory(c->network, c->variances[v], &c->common->estimate, steps, now, &ignored) &&
        hdf5_read(terms, name, HDF5_INT64, 1, dims, then, &ignored);
    for (int k = 0; same && k <= steps; k++)
        same = now[k] == then[k];
    memory_free(now);
    memory_free(then);
    memory_free(name);
    return same;
}

static bool trajectories_are_the_same(const Comparison *c, Hdf5File *terms)
{
    for (int i = 0; i < c->trajectory_count; i++)
        for (int v = 0; c->trajectories[i] == TRAJECTORY_DP && v < c->variance_count; v++)
            for (int k = 0; k < c->steps_count; k++)
                if (!dp_is_the_same(c, terms, v, c->steps[k]))
                    return false;
    return true;
}

static bool usable_nll(Comparison *c, const char *directory)
{
    char *path = memory_format("%s/nll.csv", directory);
    char *more = memory_format("%s/nll-calibration.csv", directory);
    Hdf5File *terms = open_alike(c, directory, "nll.h5");
    Error ignored = {0};
    const bool ok = terms && csv_read(&c->nll, path, &ignored) &&
                    csv_read(&c->calibration, more, &ignored) && holds_bounds(c) &&
                    trajectories_are_the_same(c, terms);
    if (ok)
        note("reuses %s and %s", path, more);
    memory_free(path);
    memory_free(more);
    hdf5_close(terms);
    if (!ok) {
        csv_free(&c->nll);
        csv_free(&c->calibration);
    }
    return ok;
}

static bool make_nll(Comparison *c, Error *error)
{
    int64_t images = c->images;
    if (images == 0 && !images_test_at_most(c->network, DEFAULT_IMAGES, &images, error))
        return false;
    char *path = compare_path(c, "nll.csv");
    char *more = compare_path(c, "nll-calibration.csv");
    Call call = call_begin(c, bounds_sampler, 1);
    call_places(&call, c, path);
    add_fresh(&call, c);
    add(&call, "--trajectory", trajectories_text(c));
    add(&call, "--images", memory_format("%lld", (long long)images));
    const bool ok = call_end(&call, nll_command, error) && csv_read(&c->nll, path, error) &&
                    csv_read(&c->calibration, more, error);
    memory_free(path);
    memory_free(more);
    return ok;
}

static bool usable_quality(Comparison *c, const char *directory)
{
    char *path = memory_format("%s/quality.csv", directory);
    Hdf5File *resamples = open_alike(c, directory, "quality.h5");
    Error ignored = {0};
    const bool ok = resamples && csv_read(&c->quality, path, &ignored) && holds_quality(c);
    if (ok)
        note("reuses %s", path);
    else
        csv_free(&c->quality);
    memory_free(path);
    hdf5_close(resamples);
    return ok;
}

/* A data set without labels, or with few images, is no reason to do without the rest of the page. */
static bool make_quality(Comparison *c, Error *error)
{
    char *path = compare_path(c, "quality.csv");
    Call call = call_begin(c, c->samplers, c->sampler_count);
    call_places(&call, c, path);
    add_fresh(&call, c);
    add(&call, "--sampler", samplers_text(c));
    add(&call, "--samples", memory_format("%lld", (long long)c->samples));
    Error problem = {0};
    bool ok = call_end(&call, quality_command, &problem) && csv_read(&c->quality, path, &problem);
    c->has_quality = ok;
    if (!ok && problem.kind == ERROR_INPUT) {
        c->quality_problem = memory_string(problem.message);
        note("leaves out the quality of samples: %s", problem.message);
        ok = true;
    } else if (!ok) {
        *error = problem;
    }
    memory_free(path);
    return ok;
}

/* -- The pictures ----------------------------------------------------------------------------- */

/* What a picture was drawn of stands in a file beside it, so that the next run knows. */
static bool is_said(const char *path, const char *text)
{
    const char *beginning = file_kind_beginning(FILE_NOTE);
    const size_t begins = strlen(beginning);
    char *line = NULL;
    size_t size = 0;
    FILE *from = fopen(path, "r");
    if (!from)
        return false;
    const bool same = getline(&line, &size, from) > 0 && strncmp(line, beginning, begins) == 0 &&
                      strcmp(line + begins, text) == 0;
    free(line);
    fclose(from);
    return same;
}

static void write_note(FILE *to, const void *text)
{
    fputs(text, to);
}

static bool say(const char *path, const char *text, Error *error)
{
    return output_text(path, FILE_NOTE, write_note, text, error);
}

static bool find_grid(Comparison *c, int i, Error *error)
{
    const Sampler *sampler = &c->samplers[i];
    char *name = compare_sampler_stem("samples", *sampler);
    char *record = memory_format("%s/%s.txt", c->out, name);
    c->grids[i] = memory_format("%s/%s.png", c->out, name);
    Call call = call_begin(c, sampler, 1);
    add(&call, "--sampler", memory_string(sampler_name(*sampler)));
    add(&call, "--count", memory_format("%d", GRID_SAMPLES));
    char *text = sample_text(&call, c);
    bool ok = true;
    if (!c->fresh && access(c->grids[i], F_OK) == 0 && is_said(record, text)) {
        note("reuses %s", c->grids[i]);
        call_free(&call);
    } else {
        file_kind_remove(record, FILE_NOTE); /* a picture without one is drawn anew */
        call_places(&call, c, c->grids[i]);
        ok = call_end(&call, sample_command, error) && say(record, text, error);
    }
    memory_free(name);
    memory_free(record);
    memory_free(text);
    return ok;
}

static bool find_grids(Comparison *c, Error *error)
{
    for (int i = 0; i < c->sampler_count; i++)
        if (!find_grid(c, i, error))
            return false;
    return true;
}

/* The run's own tables first: somebody measured them for their numbers, and not for a page. */
bool compare_find_tables(Comparison *c, Error *error)
{
    const char *run = network_run(c->network);
    if ((c->fresh || (!usable_nll(c, run) && !usable_nll(c, c->out))) && !make_nll(c, error))
        return false;
    if (c->samples > 0) {
        c->has_quality = !c->fresh && (usable_quality(c, run) || usable_quality(c, c->out));
        if (!c->has_quality && !make_quality(c, error))
            return false;
    }
    return find_grids(c, error);
}
