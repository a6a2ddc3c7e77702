/* Bounds the negative log-likelihood of images, for every variance on every trajectory.
 *
 * One sweep over the timesteps fills all cells (evaluation/bound.h). Three files take the results.
 * The table is written last, so that the others are complete wherever a table is. A fourth file
 * keeps the sums of an unfinished sweep under a key, a text of everything that they depend on; it
 * is removed when the table is written.
 */
#include "infer/nll/nll_run.h"

#include "base/fingerprint.h"
#include "base/memory.h"
#include "evaluation/dp.h"
#include "evaluation/sweep.h"
#include "infer/lists.h"
#include "infer/nll/nll_noise.h"
#include "infer/nll/nll_report.h"
#include "infer/results.h"
#include "inference/full_spectrum.h"
#include "inference/images.h"
#include "inference/network_products.h"

#include <stdio.h>
#include <sys/stat.h>

enum { TABLE, CALIBRATION, TERMS, UNFINISHED, FILES };

typedef struct Nll {
    const NllRequest *request;
    Network *network;
    const Variance *variances[LISTS_MAX_ROWS];
    /* [variance_count]; not read if the request has no floors. */
    double floors[LISTS_MAX_ROWS];
    int steps[LISTS_MAX_STEPS], steps_count;
    Predictor predictor;
    Images images;
    NllNoise noise;
    /* NULL without the variance full. */
    FullSpectrum *full;
    BoundTask task;
    Results results;
} Nll;

NllRequest nll_defaults(void)
{
    return (NllRequest){.split = IMAGES_TEST, .images = IMAGES_UNSET, .dp_images = IMAGES_UNSET};
}

/* -- Preparation ------------------------------------------------------------------------------ */

/* Leaves out the variances that have no bound, or fails if the user listed one. */
static bool check_bounds(Nll *s, Error *error)
{
    int count = 0;
    for (int v = 0; v < s->task.variance_count; v++) {
        Error none = {0};
        if (variance_check_bound(s->variances[v], &none)) {
            s->floors[count] = s->floors[v];
            s->variances[count++] = s->variances[v];
        } else if (s->request->variance_count > 0) {
            return variance_check_bound(s->variances[v], error);
        }
    }
    s->task.variance_count = count;
    return true;
}

static bool choose_variances(Nll *s, Error *error)
{
    const NllRequest *r = s->request;
    for (int v = 0; v < r->variance_count; v++) {
        s->variances[v] = r->variances[v];
        s->floors[v] = r->floors ? r->floors[v] : 0;
    }
    for (int k = 0; k < r->steps_count; k++)
        s->steps[k] = r->steps[k];
    s->steps_count = r->steps_count;
    s->task.variances = s->variances;
    s->task.variance_count = r->variance_count;
    s->task.floors = r->floors ? s->floors : NULL;
    return command_bound_variances(s->network, r->trajectories, r->trajectory_count, s->variances,
                                   &s->task.variance_count, error) &&
           check_bounds(s, error) &&
           lists_complete_steps(COMMAND_BOUND_STEPS, network_schedule(s->network)->timesteps,
                                s->steps, &s->steps_count, error);
}

static bool check_results(const Nll *s, Error *error)
{
    const NllRequest *r = s->request;
    OutputInputs inputs = command_inputs(s->network, r->common);
    output_inputs_add(&inputs, "the file of --input", r->input);
    output_inputs_add(&inputs, "the file of --noise", r->noise);
    output_inputs_add(&inputs, "the file of --data", r->data);
    return results_check(&s->results, &inputs, error);
}

static bool choose_results(Nll *s, Error *error)
{
    s->results = (Results){.count = FILES,
                           .files = {[TABLE] = {".csv", FILE_BOUNDS, NULL},
                                     [CALIBRATION] = {"-calibration.csv", FILE_CALIBRATION, NULL},
                                     [TERMS] = {".h5", FILE_BOUND_TERMS, NULL},
                                     [UNFINISHED] = {".unfinished.h5", FILE_SWEEP, NULL}}};
    results_choose(&s->results, s->request->out, s->network, "nll.csv");
    return check_results(s, error);
}

static bool read_images(Nll *s, Error *error)
{
    const NllRequest *r = s->request;
    const bool ok = r->split == IMAGES_TRAIN
                        ? images_train(&s->images, s->network, r->data, "--images", r->images,
                                       s->task.seed, error)
                        : images_test(&s->images, s->network, r->input, r->images, error);
    s->task.images = s->images.count;
    s->task.x_0 = s->images.x_0;
    s->task.split = (uint32_t)r->split;
    return ok;
}

/* Finds the files of dp of the variances with one floor. */
static bool prepare_dp_at(Nll *s, double floor, Error *error)
{
    const NllRequest *r = s->request;
    const Variance *variances[VARIANCE_COUNT];
    int count = 0;
    for (int v = 0; v < s->task.variance_count; v++)
        if (nll_estimate(r, &s->task, v).floor == floor)
            variances[count++] = s->variances[v];
    DpRequest request = {.variances = variances,
                         .variance_count = count,
                         .estimate = r->common->estimate,
                         .images = r->dp_images,
                         .seed = r->common->seed,
                         .data = r->data,
                         .type = r->common->network.type,
                         .arithmetic = network_arithmetic(&r->common->network),
                         .fresh = r->fresh,
                         .quiet = r->common->quiet};
    request.estimate.floor = floor;
    return dp_prepare(s->network, &request, error);
}

/* Whether a variance before v has its floor. */
static bool floor_is_done(const Nll *s, int v)
{
    for (int k = 0; k < v; k++)
        if (nll_estimate(s->request, &s->task, k).floor ==
            nll_estimate(s->request, &s->task, v).floor)
            return true;
    return false;
}

static bool prepare_dp(Nll *s, Error *error)
{
    if (!nll_has_dp(s->request))
        return true;
    for (int v = 0; v < s->task.variance_count; v++)
        if (!floor_is_done(s, v) &&
            !prepare_dp_at(s, nll_estimate(s->request, &s->task, v).floor, error))
            return false;
    /* The files of dp exist now, and one of them may have the name of a result. */
    return check_results(s, error);
}

static bool open_noise(Nll *s, Error *error)
{
    const char *path = s->request->noise;
    if (!path)
        return true;
    if (!nll_noise_open(&s->noise, path, network_config(s->network), s->images.count, error))
        return false;
    for (int c = 0; c < s->task.cell_count; c++)
        for (int k = 1; k <= s->task.cells[c].steps; k++)
            if (!nll_noise_has(&s->noise, s->task.cells[c].timesteps[k], error))
                return false;
    s->task.noise = nll_noise_read;
    s->task.noise_context = &s->noise;
    return true;
}

/* full is never among the variances of a request that lists none. */
static bool has_full(const NllRequest *r)
{
    for (int v = 0; v < r->variance_count; v++)
        if (r->variances[v]->reads_jacobian)
            return true;
    return false;
}

bool nll_check_full(const NllRequest *request, const Network *network, Error *error)
{
    const FullOptions *full = &request->common->full;
    if (has_full(request))
        return network_products_check(network, error) && full_spectrum_check(network, full, error);
    return (!full->dense && full->krylov == 0 && full->probes == 0) ||
           error_input(error, "--krylov, --probes, --dense: expected full in --variance");
}

/* The rows of a dense Jacobian fill batches though the images may be few. */
static bool prepare_network(Nll *s, Error *error)
{
    const bool dense = has_full(s->request) && s->request->common->full.dense;
    const int64_t dims = (int64_t)network_dims(s->network);
    const int64_t count = dense && dims > s->images.count ? dims : s->images.count;
    return network_prepare(s->network, count, error);
}

static bool prepare_full(Nll *s, Error *error)
{
    if (!has_full(s->request))
        return true;
    s->task.spectra = full_spectrum_find;
    return full_spectrum_make(&s->full, s->network, &s->request->common->full, s->task.seed,
                              error) &&
           (s->task.spectra_context = s->full) != NULL;
}

static bool prepare(Nll *s, Error *error)
{
    const CommonOptions *common = s->request->common;
    s->task.seed = command_seed(common, s->network);
    s->task.clip_pixel = s->request->clip_pixel;
    if (!choose_variances(s, error) || !nll_check_full(s->request, s->network, error) ||
        !choose_results(s, error) || !read_images(s, error) || !prepare_dp(s, error) ||
        !nll_cells_make(&s->task, s->request, s->network, s->steps, s->steps_count, error) ||
        !open_noise(s, error) || !prepare_network(s, error) || !prepare_full(s, error))
        return false;
    s->predictor = network_predictor(s->network, &common->estimate);
    return true;
}

/* -- What the results depend on --------------------------------------------------------------- */

/* Differs for another file of the same name, or a changed one. */
static uint64_t file_state(const char *path)
{
    struct stat status = {0};
    (void)stat(path, &status); /* cannot fail: the file is open */
    const int64_t state[] = {status.st_ino, status.st_size, status.st_mtim.tv_sec,
                             status.st_mtim.tv_nsec};
    return fingerprint(FINGERPRINT_START, state, sizeof state);
}

static uint64_t cells_fingerprint(const BoundTask *task, uint64_t print)
{
    for (int c = 0; c < task->cell_count; c++) {
        const BoundCell *cell = &task->cells[c];
        print = fingerprint(print, &cell->variance, sizeof cell->variance);
        print = fingerprint(print, &cell->trajectory, sizeof cell->trajectory);
        print = fingerprint(print, cell->timesteps,
                            ((size_t)cell->steps + 1) * sizeof *cell->timesteps);
    }
    return print;
}

/* The key of an unfinished sweep. */
static char *key_of(const Nll *s)
{
    const NllRequest *r = s->request;
    const BoundTask *task = &s->task;
    const EstimateOptions *estimate = &r->common->estimate;
    const size_t bytes = (size_t)task->images * network_dims(s->network) * sizeof(float);
    uint64_t print = fingerprint(FINGERPRINT_START, task->x_0, bytes);
    for (int v = 0; v < task->variance_count; v++) {
        uint64_t network = network_fingerprint(s->network, s->variances[v]);
        print = fingerprint(print, &network, sizeof network);
        const int place = variance_index(s->variances[v]);
        print = fingerprint(print, &place, sizeof place);
    }
    print = cells_fingerprint(task, print);
    if (task->floors)
        print =
            fingerprint(print, task->floors, (size_t)task->variance_count * sizeof *task->floors);
    const FullOptions *full = &r->common->full;
    const int of_full[] = {full_krylov(full), full_probes(full), full->dense};
    if (has_full(r))
        print = fingerprint(print, of_full, sizeof of_full);
    return memory_format(
        "%d cells of %d variances, %d images, %016llx; seed %llu, split %d, %s, clip %d, "
        "average %d, floor %.17g, scale %.17g, pixel %.17g, noise %s %016llx, tenths",
        task->cell_count, task->variance_count, task->images, (unsigned long long)print,
        (unsigned long long)task->seed, r->split, network_arithmetic(&r->common->network),
        !estimate->clip, estimate->average, estimate->floor, estimate->scale, r->clip_pixel,
        r->noise ? r->noise : "drawn", (unsigned long long)(r->noise ? file_state(r->noise) : 0));
}

char *nll_settings(const NllRequest *r, const Network *network)
{
    const FullOptions *full = &r->common->full;
    char *text = settings_begin(network_identity(network), command_seed(r->common, network),
                                &r->common->network);
    if (r->split == IMAGES_TRAIN)
        settings_add(&text, "training images");
    if (r->data)
        settings_add(&text, "data %s", r->data);
    if (r->input)
        settings_add(&text, "input %s", r->input);
    if (r->noise)
        settings_add(&text, "noise %s", r->noise);
    if (!r->common->estimate.clip)
        settings_add(&text, "clip-cov off");
    if (has_full(r) && !full->dense && full_probes(full) != FULL_DEFAULT_PROBES)
        settings_add(&text, "probes %d", full_probes(full));
    if (r->clip_pixel > 0)
        settings_add(&text, "clip-pixel %.9g", r->clip_pixel);
    return text;
}

/* -- The bounds ------------------------------------------------------------------------------- */

static bool write_results(const Nll *s, const NllReport *report, Error *error)
{
    const ResultFile *files = s->results.files;
    return !results_are_kept(&s->results) ||
           (nll_report_terms(report, files[TERMS].path, error) &&
            nll_report_calibration(report, files[CALIBRATION].path, error) &&
            nll_report_table(report, files[TABLE].path, error));
}

/* Writes and prints the results. */
static bool finish(const Nll *s, const Bound *bound, Error *error)
{
    const ResultFile *files = s->results.files;
    char *images = memory_format("%d %s image%s", s->images.count,
                                 s->request->split == IMAGES_TRAIN ? "training" : "test",
                                 s->images.count == 1 ? "" : "s");
    char *settings = nll_settings(s->request, s->network);
    const NllReport report = {.bound = bound,
                              .task = &s->task,
                              .request = s->request,
                              .source = &s->predictor.source,
                              .full = &s->request->common->full,
                              .images = images,
                              .settings = settings,
                              .images_print = s->images.print};
    const bool ok = write_results(s, &report, error);
    if (s->full)
        full_note_seen(full_spectrum_seen(s->full), "full");
    if (ok && !s->request->common->quiet) {
        nll_report_print(&report);
        if (results_are_kept(&s->results))
            printf("\n%s, %s, %s: written\n", files[TABLE].path, files[CALIBRATION].path,
                   files[TERMS].path);
    }
    memory_free(images);
    memory_free(settings);
    return ok;
}

static bool sweep(Nll *s, Error *error)
{
    Bound *bound = NULL;
    char *key = key_of(s);
    const SweepOptions options = {.what = "bound",
                                  .unfinished = s->results.files[UNFINISHED].path,
                                  .key = key,
                                  .fresh = s->request->fresh,
                                  .quiet = s->request->common->quiet};
    const bool ok = bound_make(&bound, &s->predictor, &s->task, error) &&
                    sweep_run(bound, &s->task, s->predictor.source.schedule, &options, error) &&
                    finish(s, bound, error);
    if (ok)
        sweep_forget(&options);
    bound_free(bound);
    memory_free(key);
    return ok;
}

bool nll_run(const NllRequest *request, Network *network, Error *error)
{
    Nll s = {.request = request, .network = network};
    const bool ok = prepare(&s, error) && sweep(&s, error);
    nll_cells_free(&s.task);
    results_free(&s.results);
    nll_noise_close(&s.noise);
    full_spectrum_free(s.full);
    images_free(&s.images);
    return ok;
}
