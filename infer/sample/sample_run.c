/* Draws samples of every combination of a row and a number of steps. A row is a variance with a
 * correction of the mean.
 *
 * A combination has a plan (inference/sampler.h). All plans are made, and the output is begun,
 * before the first step, so that a mistake ends a run at once and not after hours. Combinations are
 * drawn one after the other, a batch at a time. All of them meet the same noise, which depends on
 * the seed, the step and the sample alone.
 */
#include "infer/sample/sample_run.h"

#include "base/memory.h"
#include "base/progress.h"
#include "infer/cell.h"
#include "infer/lists.h"
#include "infer/sample/sample_output.h"

#include <stdio.h>
#include <string.h>

enum {
    /* The number of samples of a single combination. */
    DEFAULT_COUNT = 64,
    /* The number of samples of each combination, if there are several. */
    DEFAULT_TABLE_COUNT = 16,
};

typedef struct Sample {
    const SampleRequest *request;
    Network *network;
    const Variance *variances[LISTS_MAX_ROWS];
    int variance_count;
    CorrectionList corrections;
    /* [rows]: variance v with correction c is row v * corrections + c. */
    EstimateLabel *labels;
    int steps[LISTS_MAX_STEPS];
    /* Its variance_count is the number of rows. */
    SampleSettings settings;
    /* [rows, steps] */
    SamplingPlan *plans;
    Noise noise;
    uint64_t seed;
    SampleOutput *output;
    /* [batch, dims] */
    float *images;
} Sample;

/* -- Preparation ------------------------------------------------------------------------------ */

static void choose_variances(Sample *s)
{
    const SampleRequest *r = s->request;
    for (int v = 0; v < r->variance_count; v++)
        s->variances[v] = r->variances[v];
    s->variance_count = r->variance_count;
    if (r->variance_count > 0)
        return;
    s->variances[0] = sampling_default_variance(s->network, r->sampler);
    s->variance_count = 1;
}

static bool choose_steps(Sample *s, Error *error)
{
    const SampleRequest *r = s->request;
    for (int k = 0; k < r->steps_count; k++)
        s->steps[k] = r->steps[k];
    s->settings.steps_count = r->steps_count;
    return lists_complete_steps(SAMPLE_DEFAULT_STEPS, network_schedule(s->network)->timesteps,
                                s->steps, &s->settings.steps_count, error);
}

static bool add_plan(Sample *s, SamplingPlan *plan, int row, int steps, Error *error)
{
    const Variance *variance = s->variances[row / s->corrections.count];
    SamplingChoice choice = cell_choice(s->request->common, s->request->sampler);
    if (s->request->floors)
        choice.estimate.floor = s->request->floors[row / s->corrections.count];
    choice.clip_x0 = s->request->clip_x0;
    choice.correction = s->corrections.items[row % s->corrections.count];
    return sampling_check(&choice, variance, error) &&
           network_check_variance(s->network, variance, error) &&
           cell_plan_make(plan, s->network, &choice, variance, steps, error);
}

static bool make_plans(Sample *s, Error *error)
{
    choose_variances(s);
    s->corrections = s->request->corrections ? *s->request->corrections : corrections_none();
    if (!choose_steps(s, error))
        return false;
    const int columns = s->settings.steps_count, rows = s->variance_count * s->corrections.count;
    s->plans = memory_small((size_t)(rows * columns), sizeof *s->plans);
    s->labels = memory_small((size_t)rows, sizeof *s->labels);
    s->settings.labels = s->labels;
    s->settings.variance_count = rows;
    for (int row = 0; row < rows; row++) {
        for (int k = 0; k < columns; k++)
            if (!add_plan(s, &s->plans[row * columns + k], row, s->steps[k], error))
                return false;
        s->labels[row] = sampling_label(&s->plans[row * columns]);
    }
    return true;
}

static bool prepare_noise(Sample *s, Error *error)
{
    const SampleRequest *r = s->request;
    const bool several = s->settings.variance_count * s->settings.steps_count > 1;
    s->seed = command_seed(r->common, s->network);
    if (!r->noise) {
        s->noise = noise_drawn(s->seed, network_dims(s->network));
        s->settings.count = r->count > 0 ? r->count : several ? DEFAULT_TABLE_COUNT : DEFAULT_COUNT;
        return true;
    }
    if (!noise_open(&s->noise, r->noise, network_config(s->network), s->steps[0], error))
        return error_prefix(error, "--noise");
    s->settings.count = (int)s->noise.count;
    return true;
}

static bool prepare(Sample *s, Error *error)
{
    const SampleRequest *r = s->request;
    OutputInputs inputs = command_inputs(s->network, r->common);
    output_inputs_add(&inputs, "the file of --noise", r->noise);
    s->settings = (SampleSettings){
        .path = r->out, .steps = s->steps, .columns = r->columns, .scale = r->scale};
    return sample_output_check(r->out, &inputs, error) && make_plans(s, error) &&
           prepare_noise(s, error) &&
           sample_output_begin(&s->output, &s->settings, network_config(s->network), error) &&
           network_prepare(s->network, s->settings.count, error) &&
           (s->images = memory_large((size_t)network_batch(s->network),
                                     network_dims(s->network) * sizeof(float), "samples", error)) !=
               NULL;
}

/* -- Drawing ---------------------------------------------------------------------------------- */

static bool draw_combination(Sample *s, int v, int k, Progress *progress, Error *error)
{
    const SamplingPlan *plan = &s->plans[v * s->settings.steps_count + k];
    const int batch = network_batch(s->network);
    if (!sample_output_describe(s->output, v, k, plan, (int64_t)s->seed, s->request->noise, error))
        return false;
    for (int first = 0; first < s->settings.count; first += batch) {
        int left = s->settings.count - first, count = left < batch ? left : batch;
        if (!sampler_run(s->network, plan, &s->noise, first, count, s->images, progress, error) ||
            !sample_output_put(s->output, v, k, first, count, s->images, error))
            return false;
    }
    return true;
}

static bool draw_all(Sample *s, Error *error)
{
    int64_t total = 0;
    for (int k = 0; k < s->settings.steps_count; k++)
        total += (int64_t)s->settings.variance_count * s->settings.count * s->steps[k];

    Progress progress;
    progress_start(&progress, "sampling", 0, total, 1, "evaluations/s", s->request->common->quiet);
    bool ok = true;
    for (int v = 0; v < s->settings.variance_count; v++)
        for (int k = 0; ok && k < s->settings.steps_count; k++)
            ok = draw_combination(s, v, k, &progress, error);
    progress_finish(&progress);
    return ok;
}

static void print_line(const Sample *s)
{
    const SampleSettings *settings = &s->settings;
    const int kinds = settings->variance_count * settings->steps_count;
    if (kinds == 1)
        printf("%s: %d sample%s, %s %s, %d steps\n", settings->path, settings->count,
               settings->count == 1 ? "" : "s", sampler_name(s->request->sampler),
               s->labels[0].text, s->steps[0]);
    else
        printf("%s: %d samples of each of %d kinds, %s\n", settings->path, settings->count, kinds,
               sampler_name(s->request->sampler));
}

static bool draw(Sample *s, Error *error)
{
    if (!prepare(s, error) || !draw_all(s, error))
        return false;
    SampleOutput *output = s->output;
    s->output = NULL;
    if (!sample_output_commit(output, error))
        return false;
    if (!s->request->common->quiet)
        print_line(s);
    return true;
}

static void release(Sample *s)
{
    sample_output_abandon(s->output);
    for (int i = 0; s->plans && i < s->settings.variance_count * s->settings.steps_count; i++)
        sampling_plan_free(&s->plans[i]);
    memory_free(s->plans);
    memory_free(s->labels);
    memory_free(s->images);
    noise_close(&s->noise);
}

bool sample_run(const SampleRequest *request, Network *network, Error *error)
{
    Sample s = {.request = request, .network = network};
    const bool ok = draw(&s, error);
    release(&s);
    return ok;
}
