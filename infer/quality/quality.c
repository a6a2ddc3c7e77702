/* infer quality: how good samples are, for every variance at every number of steps. */
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/note.h"
#include "evaluation/dp.h"
#include "evaluation/feature_training.h"
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/quality/quality_report.h"
#include "infer/quality/quality_run.h"
#include "infer/quality/quality_store.h"
#include "inference/image_array.h"
#include "inference/images.h"
#include "io/output.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: infer quality [options]\n"
    "\n"
    "Draws samples with every variance, at every number of steps, with every sampler,\n"
    "and measures how far they are from held-out images (data.test):\n"
    "\n"
    "  frechet    Frechet distance in the features of a classifier\n"
    "             (as Heusel et al. 2017 have it in Inception's)\n"
    "  kid        kernel distance there, unbiased       (Binkowski et al. 2018)\n"
    "  precision  share of samples among held-out ones  (Kynkaanniemi et al. 2019)\n"
    "  recall     share of held-out ones among samples  (the same)\n"
    "  sliced     sliced Wasserstein distance in pixels (Bonneel et al. 2015)\n"
    "\n"
    "each with a bootstrap standard error, and with the floor, `real`: other held-out\n"
    "images in the place of the samples. All kinds of samples start from the same x_T\n"
    "and meet the same noise, so that differences between them are surer than the\n"
    "errors say.\n"
    "\n"
    "The classifier is a small network, trained in a minute on the labels of the\n"
    "data set when it is not there yet, and kept as classifier.h5 in the run\n"
    "directory. Its distances are not those in Inception's features. For these, write\n"
    "samples as files for other programs: infer sample --out DIR/ or --out FILE.npz.\n"
    "\n"
    "Of a run directory the results go there: quality.csv with a row per cell and\n"
    "metric, and quality.h5 with all resamples, from which the error of a difference\n"
    "follows (docs/quality.md). --out names another place, FILE.csv. Stopped by\n"
    "Ctrl-C, the same command goes on after the last cell that was measured.\n"
    "\n"
    "examples:\n"
    "  infer quality\n"
    "  infer quality --variance beta,npr,sn --steps 10,25,50 --samples 5000\n"
    "  infer quality --sampler ddpm,ddim --steps 10,20 --out ddim.csv\n"
    "  infer quality --metrics sliced --steps 10\n"
    "\n";

enum { DEFAULT_SAMPLES = 1000, DEFAULT_RESAMPLES = 100, MAX_RESAMPLES = 10000 };

static const int default_steps[] = {10, 25, 50};

/* Where results go; NULL: nowhere. */
typedef struct Paths {
    char *table, *store, *unfinished;
} Paths;

typedef struct Quality {
    CommonOptions common;
    const char *variance_list, *steps_list, *sampler_list, *metric_list, *scale_list, *out;
    const char *classifier, *train_labels, *test_labels;
    int trajectory;         /* TrajectoryKind */
    double eta, clip_pixel; /* NAN: by default */
    int64_t samples, images_wanted, resamples, classifier_steps;
    bool fresh;

    VarianceKind variances[VARIANCE_KINDS];
    int variance_count;
    int steps[LISTS_MAX_STEPS], steps_count;
    Sampler samplers[LISTS_SAMPLERS];
    int sampler_count;
    double scales[LISTS_MAX_SCALES];
    int scale_count;
    uint64_t seed;
    Network *network;
    RealImages real;
    FeatureNet *net;
    QualityMeter *meter;
    SamplingPlan *cells;
    QualityTask task;
    Paths paths;
} Quality;

/* -- Options ---------------------------------------------------------------------------------- */

static bool parse(Quality *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to measure"),
        option_string("variance", "LIST", &s->variance_list,
                      "beta, beta_tilde, analytic, analytic_diag, npr, sn, exact, with commas "
                      "between (default: all that the network has)"),
        option_string("steps", "LIST", &s->steps_list,
                      "numbers of steps, 1 to N (default: 10,25,50)"),
        option_string("sampler", "LIST", &s->sampler_list, "ddpm, ddim (default: ddpm)"),
        option_string("cov-scale", "LIST", &s->scale_list,
                      "multiply the estimated Cov[x_0 | x_t] by each of these numbers; 0 leaves "
                      "beta_tilde (default: 1)"),
        option_string("metrics", "LIST", &s->metric_list,
                      "frechet, kid, precision, recall, sliced (default: all; sliced alone needs "
                      "no classifier)"),
        option_integer("samples", "N", &s->samples, QUALITY_LEAST_IMAGES, IMAGE_ARRAY_LIMIT,
                       "of each kind (default: 1000)"),
        option_integer("images", "N", &s->images_wanted, QUALITY_LEAST_IMAGES, IMAGE_ARRAY_LIMIT,
                       "held-out images to compare with, and as many others for the floor "
                       "(default: as many as samples, or half of what there is)"),
        option_integer("resamples", "N", &s->resamples, 2, MAX_RESAMPLES,
                       "of the bootstrap (default: 100)"),
        option_string("out", "FILE", &s->out, "where the table goes, as CSV; the rest beside it"),
        option_flag("fresh", &s->fresh, "begin anew: do not use what was measured before a stop"),
        option_heading("The samplers"),
        option_choice("trajectory", "linear|quad|dp", &s->trajectory,
                      "which timesteps are visited; dp: as found by infer nll (default: linear)"),
        option_number("eta", "E", &s->eta, 0, 1, "DDIM's eta, 0 to 1 (default: 0)"),
        option_number("clip-pixel", "P", &s->clip_pixel, 0, 1e6,
                      "bound the last noise added to a mean magnitude of P grey levels of 255; "
                      "0: no bound (default: 2 for ddpm, 1 for ddim)"),
        option_heading("The classifier"),
        option_string("classifier", "FILE", &s->classifier,
                      "its file; trained and written if it is not there (default: classifier.h5 "
                      "in the run directory)"),
        option_string("train-labels", "FILE", &s->train_labels,
                      "labels of data.train, IDX or HDF5 with integers /labels [N] (default: IDX "
                      "beside the images, /labels of HDF5, the mixture's components)"),
        option_string("test-labels", "FILE", &s->test_labels, "labels of data.test, likewise"),
        option_integer("classifier-steps", "N", &s->classifier_steps, 1, INT32_MAX,
                       "of its training, 128 images each (default: 1200)"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_ESTIMATE | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static bool has_sampler(const Quality *s, Sampler sampler)
{
    for (int i = 0; i < s->sampler_count; i++)
        if (s->samplers[i] == sampler)
            return true;
    return false;
}

static bool check_options(Quality *s, Error *error)
{
    if (!lists_variances(s->variance_list, s->variances, &s->variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &s->steps_count, error) ||
        !lists_samplers(s->sampler_list, s->samplers, &s->sampler_count, error) ||
        !lists_scales(s->scale_list, s->scales, &s->scale_count, error) ||
        !quality_metrics_parse(s->metric_list, s->task.wanted, error))
        return false;
    if (s->out && !output_check_name("--out", s->out, ".csv", error))
        return false;
    if (s->sampler_count == 0)
        s->samplers[s->sampler_count++] = SAMPLER_DDPM;
    if (s->scale_count == 0)
        s->scales[s->scale_count++] = 1;
    if (!isnan(s->eta) && !has_sampler(s, SAMPLER_DDIM))
        return error_input(error, "--eta is for --sampler ddim; ddpm has none");
    return true;
}

/* -- Cells ------------------------------------------------------------------------------------ */

static void default_step_counts(Quality *s)
{
    const int most = network_schedule(s->network)->timesteps;
    for (size_t i = 0; i < sizeof default_steps / sizeof default_steps[0]; i++)
        if (default_steps[i] <= most)
            s->steps[s->steps_count++] = default_steps[i];
    if (s->steps_count == 0)
        s->steps[s->steps_count++] = most;
}

static ReverseOptions reverse_options(const Quality *s, Sampler sampler, VarianceKind variance)
{
    ReverseOptions options = reverse_defaults(sampler);
    options.variance = variance_in_step(variance);
    if (!isnan(s->eta))
        options.eta = s->eta;
    if (!isnan(s->clip_pixel))
        options.clip_pixel = s->clip_pixel;
    return options;
}

static bool add_cell(Quality *s, VarianceKind variance, const ReverseOptions *reverse, double scale,
                     int steps, Error *error)
{
    SamplingPlan *plan = &s->cells[s->task.cell_count++];
    *plan = (SamplingPlan){.variance = variance,
                           .reverse = *reverse,
                           .estimate = s->common.estimate,
                           .trajectory = (TrajectoryKind)s->trajectory,
                           .steps = steps,
                           .timesteps = memory_small((size_t)steps + 1, sizeof(int))};
    plan->estimate.scale = scale;
    const int all = network_schedule(s->network)->timesteps;
    const bool dp = plan->trajectory == TRAJECTORY_DP;
    if (!(dp ? dp_trajectory(s->network, variance, &plan->estimate, steps, plan->timesteps, error)
             : trajectory_make(plan->trajectory, all, steps, plan->timesteps, error)))
        return error_prefix(error, dp ? "--trajectory" : "--steps");
    plan->reverse.clip_sigma_to = plan->timesteps[1]; /* the last noise added */
    return true;
}

static bool add_variance(Quality *s, Sampler sampler, VarianceKind variance, Error *error)
{
    const ReverseOptions reverse = reverse_options(s, sampler, variance);
    Error impossible = {0};
    if (!network_check_variance(s->network, variance, error))
        return false;
    if (!reverse_check(&reverse, &impossible)) {
        if (s->variance_list && s->sampler_count == 1)
            return reverse_check(&reverse, error);
        if (s->variance_list) /* with the other sampler it is possible */
            note("leaves out %s with %s: %s", variance_name(variance), sampler_name(sampler),
                 impossible.message);
        return true;
    }
    const int scales =
        variance_is_fixed(variance) ? 1 : s->scale_count; /* nothing to scale there */
    bool ok = true;
    for (int i = 0; i < scales; i++)
        for (int k = 0; ok && k < s->steps_count; k++)
            ok = add_cell(s, variance, &reverse, s->scales[i], s->steps[k], error);
    return ok;
}

static bool make_cells(Quality *s, Error *error)
{
    if (s->variance_count == 0)
        s->variance_count = network_variances(s->network, s->variances);
    if (s->steps_count == 0)
        default_step_counts(s);
    s->cells = memory_small(
        (size_t)(s->sampler_count * s->variance_count * s->scale_count * s->steps_count),
        sizeof *s->cells);
    s->task.cells = s->cells;
    for (int i = 0; i < s->sampler_count; i++)
        for (int v = 0; v < s->variance_count; v++)
            if (!add_variance(s, s->samplers[i], s->variances[v], error))
                return false;
    return true;
}

/* -- Where results go ------------------------------------------------------------------------- */

static bool check_paths(const Quality *s, Error *error)
{
    const Paths *p = &s->paths;
    OutputInputs inputs = command_inputs(s->network, &s->common);
    output_inputs_add(&inputs, "the file of --train-labels", s->train_labels);
    output_inputs_add(&inputs, "the file of --test-labels", s->test_labels);
    output_inputs_add(&inputs, "the file of --classifier", s->classifier);
    return !p->table || (output_check(p->table, FILE_QUALITY, &inputs, error) &&
                         output_check(p->store, FILE_QUALITY_VALUES, &inputs, error) &&
                         output_check(p->unfinished, FILE_QUALITY_VALUES, &inputs, error));
}

static bool choose_paths(Quality *s, Error *error)
{
    if (!s->out && !network_run(s->network))
        return true;
    Paths *p = &s->paths;
    p->table =
        s->out ? memory_string(s->out) : memory_format("%s/quality.csv", network_run(s->network));
    p->store = output_sibling(p->table, ".h5");
    p->unfinished = output_sibling(p->table, ".unfinished.h5");
    return check_paths(s, error);
}

static void free_paths(Paths *paths)
{
    memory_free(paths->table);
    memory_free(paths->store);
    memory_free(paths->unfinished);
}

/* -- Preparation ------------------------------------------------------------------------------ */

static bool open_features(Quality *s, Error *error)
{
    if (!quality_metrics_need_features(s->task.wanted))
        return true;
    if (!s->classifier && !network_run(s->network))
        return error_input(error, "--classifier: expected the name of a file, since the network is "
                                  "of no run directory; --metrics sliced needs no classifier");
    char *path = s->classifier ? memory_string(s->classifier)
                               : memory_format("%s/classifier.h5", network_run(s->network));
    const FeatureTraining training = {.path = path,
                                      .config = network_config(s->network),
                                      .train_labels = s->train_labels,
                                      .test_labels = s->test_labels,
                                      .steps = s->classifier_steps,
                                      .seed = (int64_t)s->seed,
                                      .quiet = s->common.quiet};
    const bool ok = (access(path, F_OK) == 0 || feature_training_run(&training, error)) &&
                    feature_net_open(&s->net, path, network_config(s->network), error);
    memory_free(path);
    /* The classifier is there now, and may have a name that was free before. */
    return ok && check_paths(s, error);
}

static bool make_meter(Quality *s, Error *error)
{
    const QualitySettings settings = {.wanted = s->task.wanted,
                                      .net = s->net,
                                      .reference = s->real.pixels,
                                      .count = s->real.count,
                                      .dims = (int)network_dims(s->network),
                                      .columns = s->task.columns,
                                      .seed = s->seed};
    return quality_meter_make(&s->meter, &settings, error);
}

static bool allocate_values(Quality *s, Error *error)
{
    const size_t rows = (size_t)s->task.cell_count + 1;
    s->task.values = memory_large(rows * QUALITY_METRICS, (size_t)s->task.columns * sizeof(double),
                                  "the values", error);
    return s->task.values != NULL;
}

/* An average, a floor and a scale of the estimates are in the variances' names. */
static char *settings_text(const Quality *s)
{
    char *text = settings_begin(&s->common, network_identity(s->network), s->seed);
    if (!isnan(s->eta))
        settings_add(&text, "eta %.9g", s->eta);
    if (!isnan(s->clip_pixel))
        settings_add(&text, "clip-pixel %.9g", s->clip_pixel);
    return text;
}

static bool prepare(Quality *s, Error *error)
{
    if (!memory_limit_check(true, error) || !network_open(&s->network, &s->common.network, error) ||
        !make_cells(s, error) || !choose_paths(s, error))
        return false;
    s->seed = seed_or(s->common.seed, network_config(s->network)->seed);
    s->task.settings = settings_text(s);
    s->task.count = (int)s->samples;
    s->task.columns = (int)s->resamples + 1;
    if (!real_images_read(&s->real, s->network, s->images_wanted, s->samples, s->seed, error) ||
        !open_features(s, error) || !make_meter(s, error) || !allocate_values(s, error))
        return false;
    s->task.reference = s->real.count;
    s->task.data = s->real.data;
    s->task.net = s->net;
    return network_prepare(s->network, s->task.count, error);
}

/* -- Work ------------------------------------------------------------------------------------- */

/* All that the values depend on. */
static char *key_of(const Quality *s)
{
    const QualityTask *task = &s->task;
    const size_t images = 2 * (size_t)task->reference;
    uint64_t print = fingerprint(FINGERPRINT_START, s->real.pixels,
                                 images * network_dims(s->network) * sizeof(float));
    if (s->net)
        print = fingerprint(print, s->net->weights, s->net->params.size * sizeof(float));
    print = fingerprint(print, task->wanted, sizeof task->wanted);
    for (int c = 0; c < task->cell_count; c++) {
        const SamplingPlan *plan = &task->cells[c];
        const ReverseOptions *reverse = &plan->reverse;
        const uint64_t network = network_fingerprint(s->network, plan->variance);
        const double numbers[] = {
            reverse->sampler,       plan->variance,       reverse->eta,         reverse->clip_pixel,
            plan->estimate.average, plan->estimate.floor, plan->estimate.scale, plan->steps};
        print = fingerprint(print, &network, sizeof network);
        print = fingerprint(print, numbers, sizeof numbers);
        print = fingerprint(print, plan->timesteps,
                            ((size_t)plan->steps + 1) * sizeof *plan->timesteps);
    }
    return memory_format("%d cells, %016llx; %d samples, %d images, %d columns; seed %llu, batch "
                         "%d, type %d",
                         task->cell_count, (unsigned long long)print, task->count, task->reference,
                         task->columns, (unsigned long long)s->seed, network_batch(s->network),
                         s->common.network.type);
}

static bool write_results(const Quality *s, const char *key, Error *error)
{
    const Paths *p = &s->paths;
    if (!p->table)
        return true;
    if (!quality_store_write(&s->task, key, p->store, error) ||
        !quality_report_table(&s->task, p->table, error))
        return false;
    file_kind_remove(p->unfinished,
                     FILE_QUALITY_VALUES); /* one that stays is found by its own table alone */
    return true;
}

static bool measure(Quality *s, Error *error)
{
    char *key = key_of(s);
    const QualityRun run = {.network = s->network,
                            .meter = s->meter,
                            .real = &s->real,
                            .unfinished = s->paths.unfinished,
                            .key = key,
                            .seed = s->seed,
                            .fresh = s->fresh,
                            .quiet = s->common.quiet};
    const bool ok = quality_run(&run, &s->task, error) && write_results(s, key, error);
    memory_free(key);
    if (ok && !s->common.quiet) {
        quality_report_print(&s->task);
        if (s->paths.table)
            printf("%s, %s: written\n", s->paths.table, s->paths.store);
    }
    return ok;
}

static void release(Quality *s)
{
    for (int c = 0; c < s->task.cell_count; c++)
        memory_free(s->cells[c].timesteps);
    memory_free(s->cells);
    memory_free(s->task.values);
    memory_free(s->task.settings);
    quality_meter_free(s->meter);
    feature_net_close(s->net);
    real_images_free(&s->real);
    free_paths(&s->paths);
    network_close(s->network);
    common_free(&s->common);
}

bool quality_command(int argc, char **argv, Error *error)
{
    Quality s = {.eta = NAN,
                 .clip_pixel = NAN,
                 .samples = DEFAULT_SAMPLES,
                 .images_wanted = IMAGES_UNSET,
                 .resamples = DEFAULT_RESAMPLES,
                 .classifier_steps = FEATURE_TRAINING_STEPS};
    bool stop = false;
    common_defaults(&s.common);
    bool ok = parse(&s, argc, argv, &stop, error) &&
              (stop || (check_options(&s, error) && prepare(&s, error) && measure(&s, error)));
    release(&s);
    return ok;
}
