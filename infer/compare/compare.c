/* infer compare: the variances of a run side by side, on one page.
 *
 * This file reads the command line and checks that every file can be written, before hours of
 * measuring. The parts of the page are then filled in one after the other (compare_task.h): tables
 * and sample grids, charts, maps, times. The page comes last.
 */
#include "base/interrupt.h"
#include "base/memory.h"
#include "evaluation/features.h"
#include "infer/compare/compare_correlation.h"
#include "infer/compare/compare_costs.h"
#include "infer/compare/compare_figures.h"
#include "infer/compare/compare_maps.h"
#include "infer/compare/compare_page.h"
#include "infer/compare/compare_reuse.h"
#include "infer/compare/compare_rows.h"
#include "infer/results.h"
#include "inference/image_array.h"
#include "inference/images.h"
#include "inference/run_files.h"
#include "io/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: infer compare [options]\n"
    "\n"
    "Compares the variances of a run directory on one page, compare.html: bounds on\n"
    "the likelihood and the quality of samples as tables and as curves over K, sample\n"
    "grids from the same noise, maps of the sigma that each head predicts for every\n"
    "pixel, calibration, and the time that each variance costs. The page is one file\n"
    "and loads nothing from elsewhere; it suits phones, dark screens and paper. Its\n"
    "figures lie beside it as SVG, PNG and CSV.\n"
    "\n"
    "Stored results are reused: nll.csv and quality.csv of the run directory, and the\n"
    "results of an earlier compare. They serve if they are of this network, have\n"
    "every row that is asked for, and were made with the same seed and precision and\n"
    "without options like --clip-cov. Stored distances in a classifier's features\n"
    "serve without --features, whichever classifier it was. Those in Inception's\n"
    "serve with --features and the same weights. What is missing is measured by\n"
    "infer nll and infer quality, on few images: run these commands first for surer\n"
    "numbers. The classifier and the files of --trajectory dp stay in the run\n"
    "directory.\n"
    "\n"
    "--features inception=FILE measures FIDs; infer quality --help says where FILE is\n"
    "from. The variance full must be asked for. --krylov is for its samples and its\n"
    "bounds, --probes and --dense are for its bounds alone.\n"
    "\n"
    "Where npr and nll or nll_block are compared, npr has one more row without being\n"
    "asked for: with the floor 0.03, in bounds and calibration. There it costs no\n"
    "pass of the network. A table of infer nll that does not have this row serves all\n"
    "the same. With --cov-floor, samples have rows with floors as well.\n"
    "\n"
    "examples:\n"
    "  infer compare\n"
    "  infer compare --steps 10,25,50,100 --images 100 --samples 1000\n"
    "  infer compare --trajectory linear,quad --sampler ddpm,ddim --steps 10,25\n"
    "  infer compare --eps-scale 1,1.01 --variance sn,npr --steps 10,25\n"
    "  infer compare --cov-floor 0,0.03 --out checkpoints/fashion-mnist/compare-floor\n"
    "  infer compare --run checkpoints/quick --variance beta_tilde,npr,sn --samples 0\n"
    "  infer compare --features inception=pt_inception-2015-12-05-6726825d.pth\n"
    "  infer compare --variance npr,full --krylov 20 --probes 4 --steps 10 --images 5\n"
    "\n";

enum { DEFAULT_SAMPLES = 200, MIN_SAMPLES = 10, SAMPLES_UNSET = -1 };

typedef struct Compare {
    CommonOptions common;
    Comparison c;
    const char *variance_list, *steps_list, *trajectory_list, *sampler_list, *floor_list, *out,
        *features;
    double floors[LISTS_MAX_FLOORS];
    int floor_count;
    char *directory, *page;
} Compare;

static bool parse(Compare *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to compare"),
        option_variances(&s->variance_list, COMMAND_ALL_VARIANCES),
        option_string("steps", "LIST", &s->steps_list, COMMAND_STEPS_HELP(COMMAND_SAMPLING_STEPS)),
        option_string(
            "trajectory", "LIST", &s->trajectory_list,
            "linear, quad, dp: the timesteps of the likelihood (default: linear); samples "
            "are on the linear ones"),
        option_string("sampler", "LIST", &s->sampler_list,
                      "ddpm, ddim: the samplers of samples (default: ddpm)"),
        option_string("cov-floor", "LIST", &s->floor_list,
                      "raise pixels of an estimate to at least this part of its mean over the "
                      "image: 0 to 1, and a row for each number, for example 0,0.03; nll and "
                      "nll_block have no floor (default: 0; docs/likelihood.md)"),
        option_integer("images", "N", &s->c.images, 1, IMAGE_ARRAY_LIMIT,
                       "test images for the likelihood, at least (default: as a stored table "
                       "has, or 20)"),
        option_integer("samples", "N", &s->c.samples, 0, IMAGE_ARRAY_LIMIT,
                       "samples of each kind for the quality, at least; 0 leaves quality out "
                       "(default: as a stored table has, or 200)"),
        option_features(&s->features),
        option_string("out", "DIR", &s->out,
                      "the directory of all files (default: compare in the run directory)"),
        option_flag("fresh", &s->c.fresh, "measure everything anew"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_FULL | COMMON_ESTIMATE | COMMON_SCALE |
                                        COMMON_CORRECTION | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static bool check_options(Compare *s, Error *error)
{
    Comparison *c = &s->c;
    if (!lists_variances(s->variance_list, c->variances, &c->variance_count, error) ||
        !lists_steps(s->steps_list, c->steps, &c->steps_count, error) ||
        !lists_trajectories(s->trajectory_list, c->trajectories, &c->trajectory_count, error) ||
        !lists_samplers(s->sampler_list, c->samplers, &c->sampler_count, error) ||
        !lists_floors(s->floor_list, s->floors, &s->floor_count, error) ||
        !corrections_read(&s->common.correction, &c->corrections, error) ||
        !command_features(s->features, &c->inception, error))
        return false;
    if (c->trajectory_count == 0)
        c->trajectories[c->trajectory_count++] = TRAJECTORY_LINEAR;
    if (c->sampler_count == 0)
        c->samplers[c->sampler_count++] = SAMPLER_DDPM;
    c->any_samples = c->samples == SAMPLES_UNSET;
    if (c->any_samples)
        c->samples = DEFAULT_SAMPLES;
    if (c->samples > 0 && c->samples < MIN_SAMPLES)
        return error_input(error, "--samples: expected 0, or at least %d, got %lld", MIN_SAMPLES,
                           (long long)c->samples);
    return s->common.network.source.checkpoints.count == 0 ||
           error_input(error, "--checkpoint: expected --run DIR: results are kept in the run "
                              "directory");
}

static bool choose_variances(Compare *s, Error *error)
{
    Comparison *c = &s->c;
    if (!command_bound_variances(c->network, c->trajectories, c->trajectory_count, c->variances,
                                 &c->variance_count, error))
        return false;
    compare_make_rows(c, s->floors, s->floor_count);
    bool bounded = false;
    for (int v = 0; v < c->variance_count; v++)
        bounded = bounded || !c->variances[v]->no_bound;
    return bounded || error_input(error,
                                  "--variance: %s has no bound for the page's first table; "
                                  "expected another one beside it",
                                  c->variances[0]->name);
}

/* Every sampler must have a variance that it can use. */
static bool check_samplers(const Comparison *c, Error *error)
{
    for (int i = 0; i < c->sampler_count; i++) {
        bool any = false;
        for (int v = 0; !any && v < c->variance_count; v++)
            any = compare_has_samples(c, c->samplers[i], v);
        if (!any)
            return error_input(error,
                               "--sampler: %s has none of these variances; expected "
                               "another than beta in --variance",
                               sampler_name(c->samplers[i]));
    }
    return true;
}

/* Ascending, so that curves go from left to right. */
static void sort_steps(Comparison *c)
{
    for (int i = 1; i < c->steps_count; i++)
        for (int k = i; k > 0 && c->steps[k - 1] > c->steps[k]; k--) {
            const int steps = c->steps[k];
            c->steps[k] = c->steps[k - 1];
            c->steps[k - 1] = steps;
        }
}

static bool choose_steps(Comparison *c, Error *error)
{
    if (!lists_complete_steps(COMMAND_SAMPLING_STEPS, network_schedule(c->network)->timesteps,
                              c->steps, &c->steps_count, error))
        return false;
    sort_steps(c);
    return true;
}

/* Stored distances serve if they are in the features of these weights. Without distances nobody reads
 * the weights. */
static bool name_features(Comparison *c, Error *error)
{
    if (!c->inception || c->samples == 0)
        return true;
    c->inception_name = features_inception_name(c->inception, network_config(c->network), error);
    return c->inception_name != NULL;
}

static bool make_directory(Compare *s, Error *error)
{
    s->directory =
        s->out ? memory_string(s->out) : memory_format("%s/compare", network_run(s->c.network));
    s->c.out = s->directory;
    struct stat found;
    if (mkdir(s->directory, 0777) != 0 && errno != EEXIST)
        return error_input(error, "%s: cannot be made: %s", s->directory, strerror(errno));
    if (stat(s->directory, &found) != 0 || !S_ISDIR(found.st_mode))
        return error_input(error, "%s: is there and is no directory", s->directory);
    s->page = compare_path(&s->c, "compare.html");
    return true;
}

/* -- Checks before the work ------------------------------------------------------------------- */

/* The tables of a run directory were measured for their numbers, and must not be replaced. */
static bool check_directory(const Compare *s, Error *error)
{
    const NetworkSource source = {.run = s->directory};
    RunFiles files;
    Error none = {0};
    if (!run_files_find(&files, &source, &none))
        return true;
    run_files_free(&files);
    return error_input(error,
                       "%s: is a run directory, whose nll.csv and quality.csv would be replaced; "
                       "expected another directory in --out",
                       s->directory);
}

static bool check_file(const Comparison *c, const char *stem, const char *ending, FileKind kind,
                       Error *error)
{
    OutputInputs inputs = command_inputs(c->network, c->common);
    output_inputs_add(&inputs, "the file of --features inception", c->inception);
    char *name = memory_format("%s%s", stem, ending), *path = compare_path(c, name);
    const bool ok = output_check(path, kind, &inputs, error);
    memory_free(name);
    memory_free(path);
    return ok;
}

/* The files of a figure: over K (ending ""), or over seconds ("-seconds"). */
static bool check_figure(const Comparison *c, const char *name, const char *ending, Error *error)
{
    char *stem = memory_format("figure-%s%s", name, ending);
    const bool ok = check_file(c, stem, ".csv", FILE_POINTS, error) &&
                    check_file(c, stem, ".svg", FILE_CHART, error) &&
                    check_file(c, stem, ".png", FILE_PICTURE, error);
    memory_free(stem);
    return ok;
}

static bool check_figures(const Comparison *c, Error *error)
{
    bool ok = check_figure(c, "calibration", "", error);
    for (int i = 0; ok && i < c->trajectory_count; i++) {
        char *name = compare_trajectory_stem("nll", c->trajectories[i]);
        ok = check_figure(c, name, "", error) && check_figure(c, name, "-seconds", error);
        memory_free(name);
    }
    for (int i = 0; i < c->sampler_count; i++)
        for (int m = 0; ok && m < COMPARE_METRICS; m++) {
            char *name = compare_sampler_stem(compare_metrics[m].name, c->samplers[i]);
            ok = check_figure(c, name, "", error) &&
                 (m > 0 || check_figure(c, name, "-seconds", error));
            memory_free(name);
        }
    return ok;
}

static bool check_grids(const Comparison *c, Error *error)
{
    bool ok = true;
    for (int i = 0; ok && i < c->sampler_count; i++) {
        char *stem = compare_sampler_stem("samples", c->samplers[i]);
        ok = check_file(c, stem, ".png", FILE_PICTURE, error) &&
             check_file(c, stem, ".txt", FILE_NOTE, error);
        memory_free(stem);
    }
    return ok;
}

/* Every file that may be written. (nll_run and quality_run check theirs once more.) */
static bool check_files(const Compare *s, Error *error)
{
    static const struct {
        const char *name;
        FileKind kind;
    } files[] = {
        {"compare.html", FILE_PAGE},
        {"nll.csv", FILE_BOUNDS},
        {"nll-calibration.csv", FILE_CALIBRATION},
        {"nll.h5", FILE_BOUND_TERMS},
        {"quality.csv", FILE_QUALITY},
        {"quality.h5", FILE_QUALITY_VALUES},
        {"costs.csv", FILE_TIMES},
        {"figure-sigma.csv", FILE_SIGMA},
        {"figure-sigma.png", FILE_PICTURE},
    };
    bool ok = check_directory(s, error);
    for (size_t i = 0; ok && i < sizeof files / sizeof files[0]; i++)
        ok = check_file(&s->c, files[i].name, "", files[i].kind, error);
    return ok && check_figures(&s->c, error) && check_grids(&s->c, error);
}

static bool prepare(Compare *s, Error *error)
{
    Comparison *c = &s->c;
    c->common = &s->common;
    if (!command_open_network(&s->common, &c->network, error))
        return false;
    c->seed = command_seed(&s->common, c->network);
    c->identity = network_identity(c->network);
    c->settings = settings_begin(c->identity, c->seed, &s->common.network);
    return choose_variances(s, error) && check_samplers(c, error) && choose_steps(c, error) &&
           compare_check_full(c, error) && name_features(c, error) && make_directory(s, error) &&
           check_files(s, error);
}

/* Replaces the error of a signal: nothing measured is lost. Any other error stays as it is. */
static bool explain_stop(const Comparison *c, Error *error)
{
    return interrupt_requested() &&
           error_runtime(error,
                         "stopped by %s; what was measured is kept in %s, and the same "
                         "command goes on",
                         interrupt_name(), c->out);
}

static bool work(Compare *s, Error *error)
{
    Comparison *c = &s->c;
    if (!compare_find_tables(c, error) || !compare_measure_costs(c, error) ||
        !compare_draw_figures(c, error) || !compare_draw_maps(c, error) ||
        !compare_draw_correlation(c, error) || !compare_write_page(c, s->page, error))
        return explain_stop(c, error);
    if (!s->common.quiet)
        printf("%s: written\n", s->page);
    return true;
}

static void release(Compare *s)
{
    Comparison *c = &s->c;
    csv_free(&c->nll);
    csv_free(&c->calibration);
    csv_free(&c->quality);
    csv_free(&c->costs);
    for (int f = 0; f < c->figure_count; f++) {
        memory_free(c->figures[f].name);
        memory_free(c->figures[f].title);
        memory_free(c->figures[f].light.data);
        memory_free(c->figures[f].dark.data);
    }
    memory_free(c->settings);
    memory_free(c->inception_name);
    memory_free(c->quality_problem);
    for (int i = 0; i < c->sampler_count; i++)
        memory_free(c->grids[i]);
    memory_free(c->maps.path);
    memory_free(c->correlation);
    memory_free(s->directory);
    memory_free(s->page);
    network_close(c->network);
    common_free(&s->common);
}

bool compare_command(int argc, char **argv, Error *error)
{
    Compare s = {.c = {.samples = SAMPLES_UNSET}};
    bool stop = false;
    common_defaults(&s.common);
    const bool ok = parse(&s, argc, argv, &stop, error) &&
                    (stop || (check_options(&s, error) && prepare(&s, error) && work(&s, error)));
    release(&s);
    return ok;
}
