/* The reverse process, for a group of samples at a time. The network is evaluated for the whole
 * group, and then each image takes its step on a thread of its own. A head is evaluated only in
 * steps that add noise. */
#include "inference/sampler.h"

#include "base/finite.h"
#include "base/memory.h"
#include "inference/full_noise.h"
#include "variance/step_sample.h"

/* The arrays of a group of samples, besides x. */
typedef struct Work {
    Network *network;
    const SamplingPlan *plan;
    EstimateSource source;
    int head;      /* index of the head that the variance reads, -1 for none */
    int draw_head; /* the same of the head that its draw reads */
    int count;
    int *t;                     /* [count] */
    float *eps, *out, *cov, *z; /* [count, dims] each: eps_hat, the head's output, Cov, noise */
    float *x0_hat;              /* [count, dims]; NULL without DCW */
    FullNoise *full;            /* NULL unless the variance reads the Jacobian */
    float *draw_out;            /* [count, dims]; NULL without a draw_head */
} Work;

static FullOptions full_of(const SamplingPlan *plan)
{
    return (FullOptions){.krylov = plan->krylov};
}

static bool work_make(Work *work, Error *error)
{
    size_t count = (size_t)work->count, bytes = network_dims(work->network) * sizeof(float);
    float **arrays[] = {&work->eps, &work->out, &work->cov, &work->z};
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = memory_large(count, bytes, "samples", error)))
            return false;
    if (work->draw_head >= 0 && !(work->draw_out = memory_large(count, bytes, "samples", error)))
        return false;
    if (mean_correction_has_dcw(&work->plan->reverse.correction) &&
        !(work->x0_hat = memory_large(count, bytes, "samples", error)))
        return false;
    const FullOptions full = full_of(work->plan);
    if (work->plan->variance->reads_jacobian &&
        !full_noise_make(&work->full, work->network, work->count, full_krylov(&full), error))
        return false;
    work->t = memory_small(count, sizeof *work->t);
    return true;
}

static void work_free(Work *work)
{
    memory_free(work->eps);
    memory_free(work->out);
    memory_free(work->cov);
    memory_free(work->z);
    memory_free(work->x0_hat);
    memory_free(work->draw_out);
    full_noise_free(work->full);
    memory_free(work->t);
}

/* eps_hat at x_t, and the head's output if the step adds noise that depends on it. */
static bool evaluate(Work *work, const float *x, const ReverseStep *step, Error *error)
{
    Prediction outputs = {.eps = work->eps};
    if (work->head >= 0 && step->s > 0)
        outputs.heads[work->head] = work->out;
    if (work->draw_head >= 0 && step->s > 0)
        outputs.heads[work->draw_head] = work->draw_out;
    for (int i = 0; i < work->count; i++)
        work->t[i] = step->t;
    return network_evaluate(work->network, x, work->t, work->count, &outputs, error);
}

/* x_0_hat of image i, which DCW reads after x has become x_s. */
static void predict_x0(const Work *work, const ReverseStep *step, int i, const float *x)
{
    const size_t dims = network_dims(work->network), at = (size_t)i * dims;
    for (size_t k = at; k < at + dims; k++)
        work->x0_hat[k] = (float)reverse_x0_hat(step, x[k], work->eps[k]);
}

static void correct(const Work *work, const ReverseStep *step, int i, float *x)
{
    const Config *config = network_config(work->network);
    const size_t at = (size_t)i * network_dims(work->network);
    const int side = config->data.resolution, channels = config->data.channels;
    mean_correction_dcw(&work->plan->reverse.correction,
                        mean_correction_weight(network_schedule(work->network), step->t), side,
                        side, channels, work->x0_hat + at, x + at);
}

/* x_s of image i: the mean and the noise that the Jacobian gave, which replaced z. */
static void step_full(const Work *work, const ReverseStep *step, int i, float *x)
{
    const size_t dims = network_dims(work->network), at = (size_t)i * dims;
    for (size_t k = at; k < at + dims; k++)
        x[k] = (float)(reverse_mean(step, x[k], work->eps[k]) + (step->s > 0 ? work->z[k] : 0));
}

/* x_t -> x_s, image by image. */
static void move(const Work *work, const ReverseStep *step, float *x)
{
    const size_t dims = network_dims(work->network);
#pragma omp parallel for
    for (int i = 0; i < work->count; i++) {
        size_t at = (size_t)i * dims;
        if (work->x0_hat)
            predict_x0(work, step, i, x);
        if (work->full)
            step_full(work, step, i, x);
        else
            step_sample(&work->source, work->plan->variance, step, x + at, work->eps + at,
                        work->head >= 0 ? work->out + at : NULL,
                        work->draw_head >= 0 ? work->draw_out + at : NULL, work->z + at,
                        work->cov + at, x + at);
        if (work->x0_hat)
            correct(work, step, i, x);
    }
}

static bool take_steps(Work *work, Noise *noise, int first, float *x, Progress *progress,
                       Error *error)
{
    const SamplingPlan *plan = work->plan;
    for (int k = plan->steps; k >= 1; k--) {
        ReverseStep step = reverse_step(network_schedule(work->network), &plan->reverse,
                                        plan->timesteps[k - 1], plan->timesteps[k]);
        step.is_end = k == plan->steps || k == 2; /* the step of k = 1, to 0, has no noise */
        if (!evaluate(work, x, &step, error))
            return false;
        if (step.s > 0 && !noise_step(noise, plan->steps - k, first, work->count, work->z, error))
            return false;
        if (work->full && step.s > 0 &&
            !full_noise_draw(work->full, &step, x, work->count, work->z, work->z, error))
            return false;
        move(work, &step, x);
        progress_update(progress, progress->done + work->count, "%s, %d steps",
                        sampling_label(plan).text, plan->steps);
    }
    return true;
}

static void note_seen(const Work *work)
{
    if (!work->full)
        return;
    char *what = memory_format("%s, %d steps", sampling_label(work->plan).text, work->plan->steps);
    full_note_seen(full_noise_seen(work->full), what);
    memory_free(what);
}

/* In a picture a NaN would be a byte like others, so it is found here. */
static bool check_finite(const Work *work, const float *x, Error *error)
{
    const size_t elements = (size_t)work->count * network_dims(work->network);
    return finite_floats(x, elements) == elements ||
           error_runtime(error, "%s, %d steps: a sample is not finite",
                         sampling_label(work->plan).text, work->plan->steps);
}

EstimateLabel sampling_label(const SamplingPlan *plan)
{
    EstimateLabel label = estimate_label(&plan->estimate, plan->variance);
    const FullOptions full = full_of(plan);
    if (plan->variance->reads_jacobian)
        full_options_label(&full, label.text, sizeof label.text);
    mean_correction_label(&plan->reverse.correction, label.text, sizeof label.text);
    return label;
}

bool sampler_run(Network *network, const SamplingPlan *plan, Noise *noise, int first, int count,
                 float *x, Progress *progress, Error *error)
{
    const char *head = plan->variance->head, *draw_head = plan->variance->draw_head;
    Work work = {.network = network,
                 .plan = plan,
                 .source = network_predictor(network, &plan->estimate).source,
                 .head = head ? network_find_head(network, head) : -1,
                 .draw_head = draw_head ? network_find_head(network, draw_head) : -1,
                 .count = count};
    work.source.clip_x0 = plan->reverse.clip_x0;
    bool ok = work_make(&work, error) && noise_start(noise, first, count, x, error) &&
              take_steps(&work, noise, first, x, progress, error) && check_finite(&work, x, error);
    note_seen(&work);
    work_free(&work);
    return ok;
}
