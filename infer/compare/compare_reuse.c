/* The tables and pictures that other commands make: stored ones if they serve, or new ones.
 *
 * A stored table serves if it has every row that is asked for and was made with the same settings,
 * which stand in the file of values beside it (infer/results.h). The tables of the run directory
 * come before those that compare itself wrote, since somebody measured them for their numbers and
 * not for a page. What is missing is made by the functions of infer nll, infer quality and infer
 * sample, so that its numbers are theirs.
 */
#include "infer/compare/compare_reuse.h"

#include "base/group.h"
#include "base/input_file.h"
#include "base/memory.h"
#include "base/note.h"
#include "evaluation/dp.h"
#include "evaluation/features.h"
#include "hdf5/hdf5_file.h"
#include "infer/compare/compare_rows.h"
#include "infer/nll/nll_run.h"
#include "infer/quality/quality_run.h"
#include "infer/results.h"
#include "infer/sample/sample_run.h"
#include "inference/images.h"
#include "io/output.h"
#include "model/precision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GRID_SAMPLES = 9, DEFAULT_IMAGES = 20 };

/* Variances with floors, as requests take them. */
typedef struct Rows {
    const Variance *variances[LISTS_MAX_ROWS];
    double floors[LISTS_MAX_ROWS];
    int count;
} Rows;

static void add_row(Rows *rows, const Comparison *c, int v)
{
    rows->variances[rows->count] = c->variances[v];
    rows->floors[rows->count++] = c->floors[v];
}

/* Adds those that have bounds. */
static void bounded_rows(const Comparison *c, Rows *rows)
{
    for (int v = 0; v < c->variance_count; v++)
        if (!c->variances[v]->no_bound)
            add_row(rows, c, v);
}

/* Adds those that have samples by one of the samplers. */
static void sampled_rows(const Comparison *c, const Sampler *samplers, int sampler_count,
                         Rows *rows)
{
    for (int v = 0; v < c->variance_count; v++) {
        bool possible = false;
        for (int i = 0; !possible && i < sampler_count; i++)
            possible = compare_has_samples(c, samplers[i], v);
        if (possible)
            add_row(rows, c, v);
    }
}

/* -- Tables ----------------------------------------------------------------------------------- */

/* Whether the table has the row of `key` for every number of steps, and each was measured on enough
 * images. */
static bool holds_row(const Comparison *c, const Csv *table, CompareKey key, int64_t images)
{
    for (int k = 0; k < c->steps_count; k++) {
        key.steps = c->steps[k];
        const int row = compare_row(table, &key);
        if (row < 0 || !(csv_number(table, row, "images") >= (double)images))
            return false;
    }
    return true;
}

/* Whether the table has the bounds of row v. */
static bool holds_bound(const Comparison *c, int v)
{
    for (int i = 0; i < c->trajectory_count; i++)
        if (!holds_row(
                c, &c->nll,
                (CompareKey){.variance = c->labels[v].text, .trajectory = c->trajectories[i]},
                c->images))
            return false;
    return true;
}

/* The extra row need not be there. */
static bool holds_bounds(const Comparison *c)
{
    for (int v = 0; v < c->variance_count; v++)
        if (!c->variances[v]->no_bound && v != c->extra && !holds_bound(c, v))
            return false;
    return true;
}

static bool holds_extra(const Comparison *c)
{
    return c->extra < 0 || holds_bound(c, c->extra);
}

static bool holds_metric(const Comparison *c, const char *metric)
{
    const int64_t samples = c->any_samples ? 0 : c->samples;
    for (int i = 0; i < c->sampler_count; i++)
        for (int row = 0; row < compare_sample_rows(c); row++) {
            const EstimateLabel label = compare_sample_label(c, row);
            const CompareKey key = {.variance = label.text,
                                    .trajectory = TRAJECTORY_LINEAR,
                                    .sampler = c->samplers[i],
                                    .metric = metric};
            if (compare_has_samples(c, c->samplers[i], compare_sample_row(c, row)) &&
                !holds_row(c, &c->quality, key, samples))
                return false;
        }
    return true;
}

static bool holds_quality(const Comparison *c)
{
    for (int m = 0; m < COMPARE_METRICS; m++)
        if (!holds_metric(c, compare_metrics[m].name))
            return false;
    return true;
}

/* The HDF5 file of values beside a table, opened, if it has these settings, and the test images are the
 * same; or NULL. Where the test images can't be read, the table is taken as it is, since nothing
 * new can be measured. */
static Hdf5File *open_alike(const Comparison *c, const char *directory, const char *name,
                            const char *settings)
{
    uint64_t print;
    char *path = memory_format("%s/%s", directory, name), *stored = NULL;
    Hdf5File *file = NULL;
    Error ignored = {0};
    if (access(path, F_OK) == 0 && hdf5_open(&file, path, &ignored) &&
        (!hdf5_read_attribute_string(file, "/", "settings", &stored, &ignored) ||
         strcmp(stored, settings) != 0 ||
         (images_test_print(c->network, &print, &ignored) && !results_has_images(file, print)))) {
        hdf5_close(file);
        file = NULL;
    }
    memory_free(path);
    memory_free(stored);
    return file;
}

/* Whether the distances are in the features that are asked for. Any classifier serves; the page names
 * it. */
static bool has_features(const Comparison *c, Hdf5File *resamples)
{
    char *name = NULL;
    Error ignored = {0};
    if (!hdf5_read_attribute_string(resamples, "/", "classifier", &name, &ignored))
        return false;
    const bool ok =
        c->inception ? strcmp(name, c->inception_name) == 0 : !features_name_is_inception(name);
    memory_free(name);
    return ok;
}

/* What infer nll is asked for, but for the table and the images. Borrows `rows`. */
static NllRequest bounds_request(const Comparison *c, const Rows *rows)
{
    NllRequest request = nll_defaults();
    request.common = c->common;
    request.variances = rows->variances;
    request.floors = rows->floors;
    request.variance_count = rows->count;
    request.steps = c->steps;
    request.steps_count = c->steps_count;
    request.trajectories = c->trajectories;
    request.trajectory_count = c->trajectory_count;
    request.fresh = c->fresh;
    return request;
}

static char *settings_of_bounds(const Comparison *c)
{
    Rows rows = {0};
    bounded_rows(c, &rows);
    const NllRequest request = bounds_request(c, &rows);
    return nll_settings(&request, c->network);
}

/* The best timesteps of a variance may have been found anew, on other images, after its bounds were
 * measured. Compares the present ones with those of the stored terms. */
static bool dp_is_the_same(const Comparison *c, Hdf5File *terms, int v, int steps)
{
    Error ignored = {0};
    const int64_t dims[1] = {steps + 1};
    int *now = memory_small((size_t)dims[0], sizeof *now);
    int64_t *then = memory_small((size_t)dims[0], sizeof *then);
    const EstimateOptions estimate = compare_estimate(c, v);
    char *name = memory_format("%s/dp_%d/timesteps", c->labels[v].text, steps);
    bool same = dp_trajectory(c->network, c->variances[v], &estimate, steps, now, &ignored) &&
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
                if (!c->variances[v]->no_bound && !dp_is_the_same(c, terms, v, c->steps[k]))
                    return false;
    return true;
}

/* Tables of versions before 0.1.0 have no columns for tenths. */
static bool has_tenths(const Csv *calibration)
{
    return calibration->rows == 0 || *csv_cell(calibration, 0, "mean_fourth_10");
}

/* `whole`: a table without the extra row does not serve. */
static bool usable_nll(Comparison *c, const char *directory, bool whole)
{
    char *path = memory_format("%s/nll.csv", directory);
    char *more = memory_format("%s/nll-calibration.csv", directory);
    char *settings = settings_of_bounds(c);
    Hdf5File *terms = open_alike(c, directory, "nll.h5", settings);
    Error ignored = {0};
    const bool ok = terms && csv_read(&c->nll, path, &ignored) &&
                    csv_read(&c->calibration, more, &ignored) && holds_bounds(c) &&
                    (!whole || holds_extra(c)) && has_tenths(&c->calibration) &&
                    trajectories_are_the_same(c, terms);
    if (ok)
        note("reuses %s and %s", path, more);
    if (ok && !holds_extra(c))
        compare_drop_extra(c);
    memory_free(path);
    memory_free(more);
    memory_free(settings);
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
    Rows rows = {0};
    bounded_rows(c, &rows);
    char *path = compare_path(c, "nll.csv");
    char *more = compare_path(c, "nll-calibration.csv");
    NllRequest request = bounds_request(c, &rows);
    request.out = path;
    request.images = images;
    const bool ok = nll_run(&request, c->network, error) && csv_read(&c->nll, path, error) &&
                    csv_read(&c->calibration, more, error);
    memory_free(path);
    memory_free(more);
    return ok;
}

static bool usable_quality(Comparison *c, const char *directory)
{
    char *path = memory_format("%s/quality.csv", directory);
    Hdf5File *resamples = open_alike(c, directory, "quality.h5", c->settings);
    Error ignored = {0};
    const bool ok = resamples && has_features(c, resamples) &&
                    csv_read(&c->quality, path, &ignored) && holds_quality(c);
    if (ok)
        note("reuses %s", path);
    else
        csv_free(&c->quality);
    memory_free(path);
    hdf5_close(resamples);
    return ok;
}

/* An input error only leaves this section out: a data set may lack labels, or have few images. */
static bool make_quality(Comparison *c, Error *error)
{
    Rows rows = {0};
    sampled_rows(c, c->samplers, c->sampler_count, &rows);
    char *path = compare_path(c, "quality.csv");
    QualityRequest request = quality_defaults();
    request.common = c->common;
    request.out = path;
    request.variances = rows.variances;
    request.floors = rows.floors;
    request.variance_count = rows.count;
    request.steps = c->steps;
    request.steps_count = c->steps_count;
    request.samplers = c->samplers;
    request.sampler_count = c->sampler_count;
    request.scales = &c->common->estimate.scale;
    request.scale_count = 1;
    request.corrections = c->corrections;
    request.samples = c->samples;
    request.inception = c->inception;
    request.fresh = c->fresh;
    Error problem = {0};
    bool ok = quality_run(&request, c->network, &problem) && csv_read(&c->quality, path, &problem);
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

/* Adds text to another; frees both. */
static void append(char **text, char *more)
{
    char *longer = memory_format("%s%s", *text, more);
    memory_free(*text);
    memory_free(more);
    *text = longer;
}

/* The floors of the rows; one number if they are all the same. */
static void add_floors(char **text, const SampleRequest *request)
{
    bool same = true;
    for (int v = 1; v < request->variance_count; v++)
        same = same && request->floors[v] == request->floors[0];
    append(text, memory_format(" --cov-floor %.17g", request->floors[0]));
    for (int v = 1; !same && v < request->variance_count; v++)
        append(text, memory_format(",%.17g", request->floors[v]));
}

static bool has_full(const SampleRequest *request)
{
    for (int v = 0; v < request->variance_count; v++)
        if (request->variances[v]->reads_jacobian)
            return true;
    return false;
}

/* All that the samples of a picture depend on, in one line: the settings, and options of infer
 * sample that would draw them. */
static char *recipe_of(const Comparison *c, const SampleRequest *request)
{
    static const char *const precisions[] = {
        [PRECISION_AUTO] = "auto", [PRECISION_F32] = "f32", [PRECISION_BF16] = "bf16"};
    const CommonOptions *common = c->common;
    char *text = memory_format("of %s, as --variance ", c->settings);
    for (int v = 0; v < request->variance_count; v++)
        append(&text, memory_format("%s%s", v > 0 ? "," : "", request->variances[v]->name));
    append(&text, memory_string(" --steps "));
    for (int k = 0; k < request->steps_count; k++)
        append(&text, memory_format("%s%d", k > 0 ? "," : "", request->steps[k]));
    append(&text, memory_format(" --precision %s", precisions[common->precision]));
    if (common->network.direct)
        append(&text, memory_string(" --convolution direct"));
    if (common->seed.given)
        append(&text, memory_format(" --seed %llu", (unsigned long long)common->seed.value));
    if (has_full(request) && full_krylov(&common->full) != FULL_DEFAULT_KRYLOV)
        append(&text, memory_format(" --krylov %d", full_krylov(&common->full)));
    append(&text, memory_string(common->estimate.average ? " --average-cov" : ""));
    add_floors(&text, request);
    append(&text,
           memory_format(" --cov-scale %.17g --sampler %s --count %d", common->estimate.scale,
                         sampler_name(request->sampler), request->count));
    for (int i = 0; i < c->corrections.count; i++) {
        EstimateLabel label = {""};
        mean_correction_label(&c->corrections.items[i], label.text, sizeof label.text);
        if (label.text[0] || c->corrections.count > 1)
            append(&text, memory_format(" mean%s", label.text));
    }
    return text;
}

/* Whether the file beside a picture holds this recipe. */
static bool has_recipe(const char *path, const char *recipe)
{
    const char *beginning = file_kind_beginning(FILE_NOTE);
    const size_t begins = strlen(beginning);
    char *line = NULL;
    size_t size = 0;
    FILE *from = input_file_open(path);
    if (!from)
        return false;
    const bool same = getline(&line, &size, from) > 0 && strncmp(line, beginning, begins) == 0 &&
                      strcmp(line + begins, recipe) == 0;
    free(line);
    fclose(from);
    return same;
}

static void write_recipe(FILE *to, const void *recipe)
{
    fputs(recipe, to);
}

/* A picture without a recipe is drawn anew. So an old recipe is removed before the drawing, and
 * the new one is written after it. */
static bool draw_grid(const Comparison *c, const SampleRequest *request, const char *record,
                      const char *recipe, Error *error)
{
    file_kind_remove(record, FILE_NOTE);
    return sample_run(request, c->network, error) &&
           output_text(record, FILE_NOTE, write_recipe, recipe, error);
}

static bool find_grid(Comparison *c, int i, Error *error)
{
    Rows rows = {0};
    sampled_rows(c, &c->samplers[i], 1, &rows);
    char *stem = compare_sampler_stem("samples", c->samplers[i]);
    char *record = memory_format("%s/%s.txt", c->out, stem);
    c->grids[i] = memory_format("%s/%s.png", c->out, stem);
    const SampleRequest request = {.common = c->common,
                                   .out = c->grids[i],
                                   .variances = rows.variances,
                                   .floors = rows.floors,
                                   .variance_count = rows.count,
                                   .steps = c->steps,
                                   .steps_count = c->steps_count,
                                   .sampler = c->samplers[i],
                                   .corrections = &c->corrections,
                                   .clip_x0 = true,
                                   .count = GRID_SAMPLES};
    char *recipe = recipe_of(c, &request);
    const bool is_there = !c->fresh && access(c->grids[i], F_OK) == 0 && has_recipe(record, recipe);
    bool ok = group_check_same(is_there, c->grids[i], error);
    if (ok && is_there)
        note("reuses %s", c->grids[i]);
    else if (ok)
        ok = draw_grid(c, &request, record, recipe, error);
    memory_free(stem);
    memory_free(record);
    memory_free(recipe);
    return ok;
}

static bool find_grids(Comparison *c, Error *error)
{
    for (int i = 0; i < c->sampler_count; i++)
        if (!find_grid(c, i, error))
            return false;
    return true;
}

/* Where a table was found. */
enum { NOWHERE, IN_RUN, IN_PAGE };

/* A table of the run serves without the extra row, since it was measured for its numbers. */
static bool find_bounds(Comparison *c, Error *error)
{
    const int found = c->fresh                                        ? NOWHERE
                      : usable_nll(c, network_run(c->network), false) ? IN_RUN
                      : usable_nll(c, c->out, true)                   ? IN_PAGE
                                                                      : NOWHERE;
    return group_check_same((uint64_t)found, c->out, error) &&
           (found != NOWHERE || make_nll(c, error));
}

static bool find_quality(Comparison *c, Error *error)
{
    const int found = c->fresh                                     ? NOWHERE
                      : usable_quality(c, network_run(c->network)) ? IN_RUN
                      : usable_quality(c, c->out)                  ? IN_PAGE
                                                                   : NOWHERE;
    c->has_quality = found != NOWHERE;
    return group_check_same((uint64_t)found, c->out, error) &&
           (c->has_quality || make_quality(c, error));
}

bool compare_check_full(const Comparison *c, Error *error)
{
    Rows rows = {0};
    bounded_rows(c, &rows);
    const NllRequest request = bounds_request(c, &rows);
    return nll_check_full(&request, c->network, error);
}

bool compare_find_tables(Comparison *c, Error *error)
{
    return find_bounds(c, error) && (c->samples == 0 || find_quality(c, error)) &&
           find_grids(c, error);
}
