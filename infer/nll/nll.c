/* infer nll: bounds on the negative log-likelihood, for every variance on every trajectory. */
#include "base/fingerprint.h"
#include "base/memory.h"
#include "evaluation/dp.h"
#include "evaluation/sweep.h"
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/nll/nll_noise.h"
#include "infer/nll/nll_report.h"
#include "inference/image_array.h"
#include "inference/images.h"
#include "inference/predictor.h"
#include "io/output.h"

#include <stdio.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: infer nll [options]\n"
    "\n"
    "Bounds the negative log-likelihood of held-out images, in bits per dimension,\n"
    "for every variance at every number of steps K (DDPM; variances as in infer\n"
    "sample). The network runs once per image and timestep that anything visits: all\n"
    "variances, K and trajectories share that pass. The standard error is over\n"
    "images; all cells see the same images and the same noise, so that differences\n"
    "between them are surer than it says. A second table shows whether the errors of\n"
    "the mean are as large as each variance says.\n"
    "\n"
    "Trajectories: linear and quad as in infer sample; dp, the best K timesteps for\n"
    "each variance, found on training images by one sweep over all timesteps and kept\n"
    "beside the checkpoints in dp-<variance>.h5. Where the data are the built-in\n"
    "mixture there is one more variance, exact: the best there can be with this mean.\n"
    "\n"
    "Of a run directory the results go there: nll.csv with a row per cell,\n"
    "variance,trajectory,steps,bits_per_dim,stderr,images; nll-calibration.csv; and\n"
    "nll.h5 with the terms per timestep. --out names another place, FILE.csv. Stopped\n"
    "by Ctrl-C, it goes on where it was when the same command is given again.\n"
    "\n"
    "examples:\n"
    "  infer nll\n"
    "  infer nll --variance beta,npr,sn --steps 10,25,50,100,1000 --out npr.csv\n"
    "  infer nll --trajectory linear,dp --steps 10,25\n"
    "\n";

enum { CHOICE_ON, CHOICE_OFF };

static const int default_steps[] = {10, 25, 50, 100};

/* Where results go; NULL: nowhere. */
typedef struct Paths {
    char *table, *calibration, *terms, *unfinished;
} Paths;

typedef struct Nll {
    CommonOptions common;
    const char *variance_list, *steps_list, *trajectory_list, *input, *noise_path, *data, *out;
    int split, clip_cov;
    double clip_pixel;
    int64_t images_wanted, dp_images;
    bool fresh;

    VarianceKind variances[VARIANCE_KINDS];
    int steps[LISTS_MAX_STEPS], steps_count;
    TrajectoryKind trajectories[TRAJECTORY_KINDS];
    int trajectory_count;
    Network *network;
    Predictor predictor;
    Images images;
    NllNoise noise;
    BoundCell *cells;
    BoundTask task;
    Paths paths;
} Nll;

/* -- Options ---------------------------------------------------------------------------------- */

static bool parse(Nll *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to bound"),
        option_string("variance", "LIST", &s->variance_list,
                      "beta, beta_tilde, analytic, analytic_diag, npr, sn, exact, with commas "
                      "between (default: all that the network has)"),
        option_string("steps", "LIST", &s->steps_list,
                      "numbers of steps, 1 to N (default: 10,25,50,100)"),
        option_string("trajectory", "LIST", &s->trajectory_list,
                      "which timesteps are visited: linear, quad, dp (default: linear)"),
        option_integer("images", "N", &s->images_wanted, 1, IMAGE_ARRAY_LIMIT,
                       "the first N test images (default: 100, or all of --input)"),
        option_choice("split", "test|train", &s->split,
                      "test images, or training images, drawn at random: those that dp is found "
                      "on (default: test)"),
        option_string("out", "FILE", &s->out, "where the table goes, as CSV; the rest beside it"),
        option_flag("fresh", &s->fresh,
                    "begin anew: use neither an unfinished sweep nor the files of dp"),
        option_heading("The variances"),
        option_choice(
            "clip-cov", "on|off", &s->clip_cov,
            "the estimated Cov[x_0 | x_t] to [0, 1]; off: the bound of a variance that is "
            "not positive is nan (default: on)"),
        option_number("clip-pixel", "P", &s->clip_pixel, 0, 1e6,
                      "bound the noise of the step to t_1 to a mean magnitude of P grey levels "
                      "of 255, as sampling does (default: 0, no bound)"),
        option_heading("Finding the best trajectories"),
        option_integer("dp-images", "N", &s->dp_images, 1, IMAGE_ARRAY_LIMIT,
                       "training images to find them on (default: 100, and what is there will "
                       "do)"),
        option_string("data", "FILE", &s->data,
                      "the training images, IDX or HDF5 (default: data.train of the checkpoint's "
                      "configuration)"),
        option_heading("Another implementation's figures"),
        option_string("input", "FILE", &s->input,
                      "images from the array /images, uint8 [n, H, W, C], of an HDF5 file"),
        option_string("noise", "FILE", &s->noise_path,
                      "noise from /eps [K, n, C, H, W] of an HDF5 file, for the timesteps /t [K]"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common =
                                  COMMON_ESTIMATE | COMMON_SCALE | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static EstimateOptions estimate_options(const Nll *s)
{
    EstimateOptions estimate = s->common.estimate;
    estimate.clip = s->clip_cov == CHOICE_ON;
    return estimate;
}

static bool has_dp(const Nll *s)
{
    for (int k = 0; k < s->trajectory_count; k++)
        if (s->trajectories[k] == TRAJECTORY_DP)
            return true;
    return false;
}

static bool check_options(Nll *s, Error *error)
{
    if (!lists_variances(s->variance_list, s->variances, &s->task.variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &s->steps_count, error) ||
        !lists_trajectories(s->trajectory_list, s->trajectories, &s->trajectory_count, error))
        return false;
    if (s->out && !output_check_name("--out", s->out, ".csv", error))
        return false;
    if (s->trajectory_count == 0)
        s->trajectories[s->trajectory_count++] = TRAJECTORY_LINEAR;
    if (has_dp(s) && s->clip_cov == CHOICE_OFF)
        return error_input(error, "--clip-cov off: expected on with --trajectory dp, whose costs "
                                  "have no bound otherwise");
    if (has_dp(s) && s->clip_pixel > 0)
        return error_input(error,
                           "--clip-pixel: expected 0 with --trajectory dp: what a step costs "
                           "would depend on whether it is the last but one");
    if (s->split == IMAGES_TRAIN && s->input)
        return error_input(error, "--input: has images of its own; expected it without --split "
                                  "train");
    return true;
}

static void default_step_counts(Nll *s)
{
    const int most = network_schedule(s->network)->timesteps;
    for (size_t i = 0; i < sizeof default_steps / sizeof default_steps[0]; i++)
        if (default_steps[i] <= most)
            s->steps[s->steps_count++] = default_steps[i];
    if (s->steps_count == 0)
        s->steps[s->steps_count++] = most;
}

static bool choose_variances(Nll *s, Error *error)
{
    if (s->task.variance_count == 0)
        s->task.variance_count = network_variances(s->network, s->variances);
    for (int v = 0; v < s->task.variance_count; v++)
        if (!network_check_variance(s->network, s->variances[v], error))
            return false;
    if (s->steps_count == 0)
        default_step_counts(s);
    s->task.variances = s->variances;
    return true;
}

/* -- Where results go ------------------------------------------------------------------------- */

static bool check_paths(const Nll *s, Error *error)
{
    const Paths *p = &s->paths;
    OutputInputs inputs = command_inputs(s->network, &s->common);
    output_inputs_add(&inputs, "the file of --input", s->input);
    output_inputs_add(&inputs, "the file of --noise", s->noise_path);
    output_inputs_add(&inputs, "the file of --data", s->data);
    return !p->table || (output_check(p->table, FILE_BOUNDS, &inputs, error) &&
                         output_check(p->calibration, FILE_CALIBRATION, &inputs, error) &&
                         output_check(p->terms, FILE_BOUND_TERMS, &inputs, error) &&
                         output_check(p->unfinished, FILE_SWEEP, &inputs, error));
}

static bool choose_paths(Nll *s, Error *error)
{
    if (!s->out && !network_run(s->network))
        return true;
    Paths *p = &s->paths;
    p->table =
        s->out ? memory_string(s->out) : memory_format("%s/nll.csv", network_run(s->network));
    p->calibration = output_sibling(p->table, "-calibration.csv");
    p->terms = output_sibling(p->table, ".h5");
    p->unfinished = output_sibling(p->table, ".unfinished.h5");
    return check_paths(s, error);
}

static void free_paths(Paths *paths)
{
    memory_free(paths->table);
    memory_free(paths->calibration);
    memory_free(paths->terms);
    memory_free(paths->unfinished);
}

/* -- Cells ------------------------------------------------------------------------------------ */

static bool make_timesteps(const Nll *s, const BoundCell *cell, int *timesteps, Error *error)
{
    const int all = network_schedule(s->network)->timesteps;
    const EstimateOptions estimate = estimate_options(s);
    bool ok = cell->trajectory == TRAJECTORY_DP
                  ? dp_trajectory(s->network, s->variances[cell->variance], &estimate, cell->steps,
                                  timesteps, error)
                  : trajectory_make(cell->trajectory, all, cell->steps, timesteps, error);
    return ok ||
           error_prefix(error, cell->trajectory == TRAJECTORY_DP ? "--trajectory" : "--steps");
}

static bool make_cells(Nll *s, Error *error)
{
    const int count = s->task.variance_count * s->trajectory_count * s->steps_count;
    s->cells = memory_small((size_t)count, sizeof *s->cells);
    s->task.cells = s->cells;
    for (int v = 0; v < s->task.variance_count; v++)
        for (int j = 0; j < s->trajectory_count; j++)
            for (int k = 0; k < s->steps_count; k++) {
                int *timesteps = memory_small((size_t)s->steps[k] + 1, sizeof *timesteps);
                BoundCell *cell = &s->cells[s->task.cell_count++];
                *cell = (BoundCell){.variance = v,
                                    .trajectory = s->trajectories[j],
                                    .steps = s->steps[k],
                                    .timesteps = timesteps};
                if (!make_timesteps(s, cell, timesteps, error))
                    return false;
            }
    return true;
}

static bool check_steps(const Nll *s, Error *error)
{
    const int all = network_schedule(s->network)->timesteps;
    for (int k = 0; k < s->steps_count; k++)
        if (s->steps[k] > all)
            return error_input(error, "--steps: a trajectory has from 1 to %d steps, not %d", all,
                               s->steps[k]);
    return true;
}

static bool prepare_dp(Nll *s, Error *error)
{
    const DpRequest request = {.variances = s->variances,
                               .variance_count = s->task.variance_count,
                               .estimate = estimate_options(s),
                               .images = s->dp_images,
                               .seed = s->common.seed,
                               .data = s->data,
                               .type = s->common.network.type,
                               .fresh = s->fresh,
                               .quiet = s->common.quiet};
    /* The tables of dp are there now, and may have a name that was free before. */
    return !has_dp(s) || (dp_prepare(s->network, &request, error) && check_paths(s, error));
}

/* -- Preparation ------------------------------------------------------------------------------ */

static bool read_images(Nll *s, Error *error)
{
    const uint64_t seed = s->task.seed;
    bool ok = s->split == IMAGES_TRAIN
                  ? images_train(&s->images, s->network, s->data, "--images", s->images_wanted,
                                 seed, error)
                  : images_test(&s->images, s->network, s->input, s->images_wanted, error);
    s->task.images = s->images.count;
    s->task.x_0 = s->images.x_0;
    s->task.split = (uint32_t)s->split;
    return ok;
}

static bool open_noise(Nll *s, Error *error)
{
    if (!s->noise_path)
        return true;
    if (!nll_noise_open(&s->noise, s->noise_path, network_config(s->network), s->images.count,
                        error))
        return false;
    for (int c = 0; c < s->task.cell_count; c++)
        for (int k = 1; k <= s->cells[c].steps; k++)
            if (!nll_noise_has(&s->noise, s->cells[c].timesteps[k], error))
                return false;
    s->task.noise = nll_noise_read;
    s->task.noise_context = &s->noise;
    return true;
}

static bool prepare(Nll *s, Error *error)
{
    if (!network_open(&s->network, &s->common.network, error) || !choose_variances(s, error) ||
        !check_steps(s, error) || !choose_paths(s, error))
        return false;
    s->task.seed = seed_or(s->common.seed, network_config(s->network)->seed);
    s->task.clip_pixel = s->clip_pixel;
    if (!read_images(s, error) || !prepare_dp(s, error) || !make_cells(s, error) ||
        !open_noise(s, error) || !network_prepare(s->network, s->images.count, error))
        return false;
    const EstimateOptions estimate = estimate_options(s);
    s->predictor = network_predictor(s->network, &estimate);
    return true;
}

/* -- The bounds ------------------------------------------------------------------------------- */

/* Tells a file from another that takes its place. */
static uint64_t file_state(const char *path)
{
    struct stat status = {0};
    (void)stat(path, &status); /* it is open */
    const int64_t state[] = {status.st_ino, status.st_size, status.st_mtim.tv_sec,
                             status.st_mtim.tv_nsec};
    return fingerprint(FINGERPRINT_START, state, sizeof state);
}

/* All that the sums depend on. */
static char *key_of(const Nll *s)
{
    const BoundTask *task = &s->task;
    const EstimateOptions *estimate = &s->common.estimate;
    const size_t bytes = (size_t)task->images * network_dims(s->network) * sizeof(float);
    uint64_t print = fingerprint(FINGERPRINT_START, task->x_0, bytes);
    for (int v = 0; v < task->variance_count; v++) {
        uint64_t network = network_fingerprint(s->network, s->variances[v]);
        print = fingerprint(print, &network, sizeof network);
        print = fingerprint(print, &s->variances[v], sizeof s->variances[v]);
    }
    for (int c = 0; c < task->cell_count; c++) {
        const BoundCell *cell = &s->cells[c];
        print = fingerprint(print, &cell->variance, sizeof cell->variance);
        print = fingerprint(print, &cell->trajectory, sizeof cell->trajectory);
        print = fingerprint(print, cell->timesteps,
                            ((size_t)cell->steps + 1) * sizeof *cell->timesteps);
    }
    return memory_format(
        "%d cells of %d variances, %d images, %016llx; seed %llu, split %d, batch "
        "%d, type %d, clip %d, average %d, floor %.17g, scale %.17g, pixel %.17g, noise %s %016llx",
        task->cell_count, task->variance_count, task->images, (unsigned long long)print,
        (unsigned long long)task->seed, s->split, network_batch(s->network), s->common.network.type,
        s->clip_cov, estimate->average, estimate->floor, estimate->scale, s->clip_pixel,
        s->noise_path ? s->noise_path : "drawn",
        (unsigned long long)(s->noise_path ? file_state(s->noise_path) : 0));
}

static bool write_results(const Nll *s, const NllReport *report, Error *error)
{
    const Paths *p = &s->paths;
    return !p->table || (nll_report_terms(report, p->terms, error) &&
                         nll_report_calibration(report, p->calibration, error) &&
                         nll_report_table(report, p->table, error));
}

/* An average, a floor and a scale of the estimates are in the variances' names. */
static char *settings_text(const Nll *s)
{
    char *text = settings_begin(&s->common, network_identity(s->network), s->task.seed);
    if (s->split == IMAGES_TRAIN)
        settings_add(&text, "training images");
    if (s->data)
        settings_add(&text, "data %s", s->data);
    if (s->input)
        settings_add(&text, "input %s", s->input);
    if (s->noise_path)
        settings_add(&text, "noise %s", s->noise_path);
    if (s->clip_cov == CHOICE_OFF)
        settings_add(&text, "clip-cov off");
    if (s->clip_pixel > 0)
        settings_add(&text, "clip-pixel %.9g", s->clip_pixel);
    return text;
}

static bool bound(Nll *s, Error *error)
{
    Bound *bound = NULL;
    char *key = key_of(s);
    const SweepOptions options = {.what = "bound",
                                  .unfinished = s->paths.unfinished,
                                  .key = key,
                                  .fresh = s->fresh,
                                  .quiet = s->common.quiet};
    char *images = memory_format("%d %s image%s", s->images.count,
                                 s->split == IMAGES_TRAIN ? "training" : "test",
                                 s->images.count == 1 ? "" : "s");
    bool ok = bound_make(&bound, &s->predictor, &s->task, error) &&
              sweep_run(bound, &s->task, s->predictor.source.schedule, &options, error);
    char *settings = settings_text(s);
    const NllReport report = {.bound = bound,
                              .task = &s->task,
                              .source = &s->predictor.source,
                              .images = images,
                              .settings = settings};
    ok = ok && write_results(s, &report, error);
    if (ok)
        sweep_forget(&options);
    if (ok && !s->common.quiet) {
        nll_report_print(&report);
        if (s->paths.table)
            printf("\n%s, %s, %s: written\n", s->paths.table, s->paths.calibration, s->paths.terms);
    }
    bound_free(bound);
    memory_free(images);
    memory_free(settings);
    memory_free(key);
    return ok;
}

static void release(Nll *s)
{
    for (int c = 0; c < s->task.cell_count; c++)
        memory_free((int *)s->cells[c].timesteps);
    memory_free(s->cells);
    free_paths(&s->paths);
    nll_noise_close(&s->noise);
    images_free(&s->images);
    network_close(s->network);
    common_free(&s->common);
}

bool nll_command(int argc, char **argv, Error *error)
{
    Nll s = {.images_wanted = IMAGES_UNSET, .dp_images = IMAGES_UNSET};
    bool stop = false;
    common_defaults(&s.common);
    bool ok = parse(&s, argc, argv, &stop, error) &&
              (stop || (check_options(&s, error) && prepare(&s, error) && bound(&s, error)));
    release(&s);
    return ok;
}
