/* Measures how far samples are from held-out images, for every cell.
 *
 * Most metrics need the features of the classifier, which is trained first if its file is missing.
 * Two files take the results; the table is written last, so that the values are complete wherever a
 * table is. A third file keeps the values of an unfinished run under a key, a text of everything
 * that they depend on.
 */
#include "infer/quality/quality_run.h"

#include "base/fingerprint.h"
#include "base/group.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "evaluation/feature_training.h"
#include "infer/quality/quality_measure.h"
#include "infer/quality/quality_report.h"
#include "infer/quality/quality_store.h"
#include "infer/results.h"
#include "inference/images.h"
#include "model/inception.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of more images than Inception has features, a resample costs half a minute. */
enum { DEFAULT_SAMPLES = 1000, DEFAULT_RESAMPLES = 100, FEW_RESAMPLES = 10 };

enum { TABLE, STORE, UNFINISHED, FILES };

typedef struct Quality {
    const QualityRequest *request;
    Network *network;
    uint64_t seed;
    RealImages real;
    Features *features;
    QualityMeter *meter;
    QualityTuner tuner;
    QualityTask task;
    Results results;
} Quality;

QualityRequest quality_defaults(void)
{
    QualityRequest request = {
        .samples = DEFAULT_SAMPLES, .images = IMAGES_UNSET, .corrections = corrections_none()};
    for (int m = 0; m < QUALITY_METRICS; m++)
        request.metrics[m] = true;
    return request;
}

/* -- Where results go ------------------------------------------------------------------------- */

static bool check_results(const Quality *s, Error *error)
{
    const QualityRequest *r = s->request;
    OutputInputs inputs = command_inputs(s->network, r->common);
    output_inputs_add(&inputs, "the file of --train-labels", r->train_labels);
    output_inputs_add(&inputs, "the file of --test-labels", r->test_labels);
    output_inputs_add(&inputs, "the file of --classifier", r->classifier);
    output_inputs_add(&inputs, "the file of --features inception", r->inception);
    return results_check(&s->results, &inputs, error);
}

static bool choose_results(Quality *s, Error *error)
{
    s->results = (Results){.count = FILES,
                           .files = {[TABLE] = {".csv", FILE_QUALITY, NULL},
                                     [STORE] = {".h5", FILE_QUALITY_VALUES, NULL},
                                     [UNFINISHED] = {".unfinished.h5", FILE_QUALITY_VALUES, NULL}}};
    results_choose(&s->results, s->request->out, s->network, "quality.csv");
    return check_results(s, error);
}

/* -- Preparation ------------------------------------------------------------------------------ */

static bool open_classifier(Quality *s, Error *error)
{
    const QualityRequest *r = s->request;
    if (!r->classifier && !network_run(s->network))
        return error_input(error, "--classifier: expected the name of a file, since the network is "
                                  "of no run directory; --metrics sliced needs no classifier");
    char *path = r->classifier ? memory_string(r->classifier)
                               : memory_format("%s/classifier.h5", network_run(s->network));
    const FeatureTraining training = {.path = path,
                                      .config = network_config(s->network),
                                      .train_labels = r->train_labels,
                                      .test_labels = r->test_labels,
                                      .steps = r->classifier_steps,
                                      .seed = (int64_t)s->seed,
                                      .quiet = r->common->quiet};
    /* Several processes train alike, the first one writes, and all read its file. */
    const bool trained = access(path, F_OK) == 0 || feature_training_run(&training, error);
    const bool ok = group_agree(trained, error) &&
                    features_open_classifier(&s->features, path, network_config(s->network), error);
    memory_free(path);
    /* The classifier's file exists now, and may have the name of a result. */
    return ok && check_results(s, error);
}

static bool open_features(Quality *s, Error *error)
{
    const QualityRequest *r = s->request;
    if (!quality_metrics_need_features(r->metrics))
        return true;
    if (r->inception)
        return features_open_inception(&s->features, r->inception, network_config(s->network),
                                       error);
    return open_classifier(s, error);
}

static int choose_resamples(const Quality *s)
{
    const QualityRequest *r = s->request;
    const bool many = r->samples > INCEPTION_FEATURES || s->real.count > INCEPTION_FEATURES;
    if (r->resamples > 0)
        return (int)r->resamples;
    return r->inception && many && r->metrics[QUALITY_FRECHET] ? FEW_RESAMPLES : DEFAULT_RESAMPLES;
}

static bool make_meter(Quality *s, Error *error)
{
    const QualitySettings settings = {.wanted = s->task.wanted,
                                      .features = s->features,
                                      .reference = s->real.pixels,
                                      .count = s->real.count,
                                      .dims = (int)network_dims(s->network),
                                      .columns = s->task.columns,
                                      .seed = s->seed};
    return quality_meter_make(&s->meter, &settings, error);
}

static bool make_tuner(Quality *s, Error *error)
{
    if (!s->request->tune)
        return true;
    s->tuner.what = s->request->tune;
    s->tuner.network = s->network;
    s->tuner.real = &s->real;
    s->tuner.features = s->tuner.metric == QUALITY_SLICED ? NULL : s->features;
    s->tuner.count = s->task.count;
    s->tuner.seed = s->seed;
    return quality_tuner_make(&s->tuner, error);
}

static bool allocate_values(Quality *s, Error *error)
{
    const size_t rows = (size_t)s->task.cell_count + 1;
    s->task.values = memory_large(rows * QUALITY_METRICS, (size_t)s->task.columns * sizeof(double),
                                  "the values", error);
    return s->task.values != NULL;
}

/* Changes of estimates and corrections of the mean are not in it: labels of variances have them. */
static char *settings_text(const Quality *s)
{
    const CommonOptions *common = s->request->common;
    char *text = settings_begin(network_identity(s->network), s->seed, &common->network);
    if (!isnan(common->sampling.eta))
        settings_add(&text, "eta %.9g", common->sampling.eta);
    if (!isnan(common->sampling.clip_pixel))
        settings_add(&text, "clip-pixel %.9g", common->sampling.clip_pixel);
    return text;
}

static bool prepare(Quality *s, Error *error)
{
    const QualityRequest *r = s->request;
    QualityTask *task = &s->task;
    memcpy(task->wanted, r->metrics, sizeof task->wanted);
    if (r->tune && !quality_tune_metric(task->wanted, &s->tuner.metric, error))
        return false;
    if (!quality_cells_make(task, r, s->network, error) || !choose_results(s, error))
        return false;
    s->seed = command_seed(r->common, s->network);
    task->settings = settings_text(s);
    task->count = (int)r->samples;
    if (!real_images_read(&s->real, s->network, r->images, r->samples, s->seed, error))
        return false;
    task->columns = choose_resamples(s) + 1;
    if (!open_features(s, error) || !make_meter(s, error) || !make_tuner(s, error) ||
        !allocate_values(s, error))
        return false;
    task->reference = s->real.count;
    task->data = s->real.data;
    task->images_print = s->real.print;
    task->features = s->features;
    return network_prepare(s->network, task->count, error);
}

/* -- Work ------------------------------------------------------------------------------------- */

static uint64_t cell_fingerprint(const Quality *s, const SamplingPlan *plan, uint64_t print)
{
    const ReverseOptions *reverse = &plan->reverse;
    const MeanCorrection *correction = &plan->reverse.correction;
    const double of_correction[] = {correction->eps_scale, correction->dcw_low,
                                    correction->dcw_high};
    const uint64_t network = network_fingerprint(s->network, plan->variance);
    const double numbers[] = {reverse->sampler,       variance_index(plan->variance),
                              reverse->eta,           reverse->clip_pixel,
                              plan->estimate.average, plan->estimate.floor,
                              plan->estimate.scale,   plan->steps};
    print = fingerprint(print, &network, sizeof network);
    print = fingerprint(print, numbers, sizeof numbers);
    const int krylov = full_krylov(&(FullOptions){.krylov = plan->krylov});
    if (plan->variance->reads_jacobian)
        print = fingerprint(print, &krylov, sizeof krylov);
    if (mean_correction_scales(correction) || mean_correction_has_dcw(correction))
        print = fingerprint(print, of_correction, sizeof of_correction);
    return fingerprint(print, plan->timesteps, ((size_t)plan->steps + 1) * sizeof *plan->timesteps);
}

/* The key of the values. */
static char *key_of(const Quality *s)
{
    const QualityTask *task = &s->task;
    const size_t images = 2 * (size_t)task->reference;
    uint64_t print = fingerprint(FINGERPRINT_START, s->real.pixels,
                                 images * network_dims(s->network) * sizeof(float));
    if (s->features)
        print = fingerprint(print, &s->features->fingerprint, sizeof s->features->fingerprint);
    print = fingerprint(print, task->wanted, sizeof task->wanted);
    for (int c = 0; c < task->cell_count; c++)
        print = cell_fingerprint(s, &task->cells[c], print);
    return memory_format("%d cells, %016llx; %d samples, %d images, %d columns; seed %llu, %s",
                         task->cell_count, (unsigned long long)print, task->count, task->reference,
                         task->columns, (unsigned long long)s->seed,
                         network_arithmetic(&s->request->common->network));
}

static bool write_results(const Quality *s, const char *key, Error *error)
{
    const ResultFile *files = s->results.files;
    if (!results_are_kept(&s->results))
        return true;
    if (!quality_store_write(&s->task, key, files[STORE].path, error) ||
        !quality_report_table(&s->task, files[TABLE].path, error))
        return false;
    /* An unfinished file that cannot be removed does no harm: only the same request reads it. */
    file_kind_remove(files[UNFINISHED].path, FILE_QUALITY_VALUES);
    return true;
}

static void print_results(const Quality *s)
{
    const ResultFile *files = s->results.files;
    quality_report_print(&s->task);
    if (results_are_kept(&s->results))
        printf("%s, %s: written\n", files[TABLE].path, files[STORE].path);
}

static bool measure(Quality *s, Error *error)
{
    const CommonOptions *common = s->request->common;
    char *key = key_of(s);
    const QualityMeasuring measuring = {.network = s->network,
                                        .meter = s->meter,
                                        .tuner = &s->tuner,
                                        .real = &s->real,
                                        .unfinished = s->results.files[UNFINISHED].path,
                                        .key = key,
                                        .seed = s->seed,
                                        .fresh = s->request->fresh,
                                        .quiet = common->quiet};
    const bool ok = quality_measure(&measuring, &s->task, error) && write_results(s, key, error);
    memory_free(key);
    if (ok && !common->quiet)
        print_results(s);
    return ok;
}

static void release(Quality *s)
{
    quality_cells_free(&s->task);
    memory_free(s->task.values);
    memory_free(s->task.settings);
    quality_meter_free(s->meter);
    quality_tuner_free(&s->tuner);
    features_close(s->features);
    real_images_free(&s->real);
    results_free(&s->results);
}

bool quality_run(const QualityRequest *request, Network *network, Error *error)
{
    Quality s = {.request = request, .network = network};
    const bool ok = memory_limit_check(true, error) && prepare(&s, error) && measure(&s, error);
    release(&s);
    return ok;
}
