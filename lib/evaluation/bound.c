/* The sweep of a bound (bound.h). A visit to a timestep draws x_t for all images, runs the network
 * on them, a batch at a time, and passes the outputs for each image to the parts: cells, tables and
 * calibration (evaluation/bound_parts.h).
 *
 * Where the images fill half of a batch at most, the network runs on several timesteps at once. Their
 * outputs wait in the batch until each of them is visited.
 *
 * The images of a batch are shared out among threads. Each part keeps an entry for every image, and
 * adds the entries in the images' order when the timestep is finished. So the results do not depend
 * on the number of threads.
 */
#include "evaluation/bound.h"

#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "evaluation/bound_cells.h"
#include "evaluation/bound_tables.h"
#include "evaluation/calibration.h"

struct Bound {
    BoundFrame frame;
    BoundCells cells;
    BoundTables tables;
    Calibration calibration;
    BoundSums sums;
    /* The places of the batch that hold outputs, and the place of the images that are being added. */
    int filled, place;
    /* One batch: t [batch], the others [batch, dims]. */
    int *t;
    float *eps, *x_t, *cov;
    double *x_0_hat, *off2;
    /* [batch, dims], of covariances with correlations; NULL if there are none: eigenvalues, and
     * squared coefficients of r. */
    float *value;
    double *off, *square;
    /* [batch, dims]: r, of variances with spectra; NULL if there are none. */
    double *residual;
    Prediction prediction;
};

/* -- Preparation ------------------------------------------------------------------------------ */

bool bound_check_tables(const Variance *variance, Error *error)
{
    if (variance->reads_jacobian)
        return error_input(error,
                           "the variance %s takes many passes for a timestep, and dp has no tables "
                           "of it; expected the trajectory linear or quad",
                           variance->name);
    if (variance->depends_on_step)
        return error_input(
            error,
            "the variance %s depends on both ends of a step, and dp has no tables of "
            "such a variance; expected the trajectory linear or quad",
            variance->name);
    return true;
}

static bool check_task(const BoundTask *task, Error *error)
{
    for (int v = 0; task->tables && v < task->variance_count; v++)
        if (!bound_check_tables(task->variances[v], error))
            return false;
    return true;
}

static bool allocate_batch(Bound *b, Error *error)
{
    const BoundFrame *frame = &b->frame;
    const size_t batch = (size_t)frame->predictor->batch, image = frame->dims * sizeof(float);
    float **arrays[] = {&b->eps, &b->x_t, &b->cov, &b->prediction.eps};
    b->t = memory_small(batch, sizeof *b->t);
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = memory_large(batch, image, "images", error)))
            return false;
    for (int v = 0; v < frame->task->variance_count; v++) {
        const int head = predictor_head(frame->predictor, frame->task->variances[v]);
        if (head >= 0 && !b->prediction.heads[head] &&
            !(b->prediction.heads[head] = memory_large(batch, image, "images", error)))
            return false;
    }
    return bound_allocate(&b->x_0_hat, batch, frame->dims, 0, error) &&
           bound_allocate(&b->off2, batch, frame->dims, 0, error) &&
           (!frame->task->spectra || bound_allocate(&b->residual, batch, frame->dims, 0, error)) &&
           (!bound_any_correlated(frame->task) ||
            (bound_allocate(&b->off, batch, frame->dims, 0, error) &&
             bound_allocate(&b->square, batch, frame->dims, 0, error) &&
             (b->value = memory_large(batch, image, "images", error)) != NULL));
}

static void collect_sums(Bound *b)
{
    b->sums = (BoundSums){.bits = b->cells.bits,
                          .terms = b->cells.mean,
                          .terms_error = b->cells.error,
                          .quadrature = b->cells.quadrature,
                          .calibration = b->calibration.calibration,
                          .calibration_error = b->calibration.calibration_error,
                          .floored = b->calibration.floored,
                          .ratio = b->calibration.ratio,
                          .tenths = b->calibration.tenths,
                          .tables = b->tables.tables};
}

bool bound_make(Bound **result, const Predictor *predictor, const BoundTask *task, Error *error)
{
    *result = NULL;
    if (!check_task(task, error))
        return false;
    Bound *b = memory_small(1, sizeof *b);
    b->frame = (BoundFrame){.predictor = predictor,
                            .task = task,
                            .schedule = predictor->source.schedule,
                            .dims = predictor->source.dims,
                            .unit = 1 / ((double)predictor->source.dims * log(2))};
    if (!bound_cells_make(&b->cells, &b->frame, error) ||
        !bound_tables_make(&b->tables, &b->frame, error) ||
        !calibration_make(&b->calibration, &b->frame, error) || !allocate_batch(b, error)) {
        bound_free(b);
        return false;
    }
    collect_sums(b);
    *result = b;
    return true;
}

void bound_free(Bound *b)
{
    if (!b)
        return;
    bound_cells_free(&b->cells);
    bound_tables_free(&b->tables);
    calibration_free(&b->calibration);
    for (int head = 0; head < PREDICTOR_MAX_HEADS; head++)
        memory_free(b->prediction.heads[head]);
    void *const arrays[] = {b->t,       b->eps, b->x_t,    b->cov,   b->x_0_hat,
                            b->off2,    b->off, b->square, b->value, b->prediction.eps,
                            b->residual};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
    memory_free(b);
}

/* -- One image -------------------------------------------------------------------------------- */

/* Where the arrays have the image that is number `slot` of those being added. */
static size_t place_of(const Bound *b, int slot)
{
    return (size_t)(b->place + slot) * b->frame.dims;
}

/* The estimate in b->cov as the parts of the bound see it. */
static BoundEstimate estimate_of(Bound *b, const BoundImage *image, int v,
                                 const EstimateOptions *options)
{
    const Variance *variance = b->frame.task->variances[v];
    const size_t at = place_of(b, image->slot);
    if (!variance->is_correlated)
        return (BoundEstimate){.variance = v,
                               .cov = b->cov + at,
                               .off2 = image->off2,
                               .is_scalar = estimate_is_scalar(options, variance)};
    bound_rotate(&b->frame, image, b->cov + at, b->off + at, b->value + at, b->square + at);
    return (BoundEstimate){
        .variance = v, .cov = b->value + at, .off2 = b->square + at, .diagonal = b->cov + at};
}

/* Adds an image with variance v of the task to all parts, but for spectra (add_spectra). */
static void add_variance(Bound *b, const BoundImage *image, int v)
{
    const EstimateSource source = bound_source(&b->frame, v);
    const Variance *variance = b->frame.task->variances[v];
    const size_t at = place_of(b, image->slot);
    const float *x_t = b->x_t + at, *eps_hat = b->prediction.eps + at;
    const float *head =
        prediction_of(&b->prediction, predictor_head(b->frame.predictor, variance), at);
    if (variance->reads_jacobian)
        return;
    if (variance->depends_on_step) {
        const VarianceInput input = estimate_input(&source, image->t, x_t, eps_hat, head);
        bound_cells_add_steps(&b->cells, image, v, &input);
        return;
    }
    estimate_cov_x0(&source, variance, image->t, x_t, eps_hat, head, b->cov + at);
    const BoundEstimate estimate = estimate_of(b, image, v, &source.options);
    calibration_add(&b->calibration, image, &estimate);
    bound_cells_add_estimate(&b->cells, image, &estimate);
    bound_tables_add_estimate(&b->tables, image, &estimate);
}

/* Image `first` + slot of the task. Arrays are filled by add_image. */
static BoundImage image_at(const Bound *b, int t, int first, int slot)
{
    const size_t at = place_of(b, slot);
    return (BoundImage){.t = t,
                        .index = first + slot,
                        .slot = slot,
                        .x_0 = b->frame.task->x_0 + (size_t)(first + slot) * b->frame.dims,
                        .x_0_hat = b->x_0_hat + at,
                        .off2 = b->off2 + at};
}

/* Adds image `first` + slot of the task: every variance, and the decoder's term. */
static void add_image(Bound *b, int t, int first, int slot)
{
    const BoundFrame *frame = &b->frame;
    const size_t at = place_of(b, slot);
    BoundImage image = image_at(b, t, first, slot);
    image.sum_off2 = likelihood_mean(frame->schedule, t, frame->predictor->source.clip_x0,
                                     image.x_0, b->x_t + at, b->prediction.eps + at, frame->dims,
                                     b->x_0_hat + at, b->off2 + at);
    for (int v = 0; v < frame->task->variance_count; v++)
        add_variance(b, &image, v);
    bound_cells_add_decoder(&b->cells, &image);
    bound_tables_add_decoder(&b->tables, &image);
}

/* -- One timestep ----------------------------------------------------------------------------- */

/* eps [count, dims] := the noise in x_t of images first .. first + count - 1. */
static bool draw_noise(const Bound *b, int t, int first, int count, float *eps, Error *error)
{
    const BoundTask *task = b->frame.task;
    const size_t dims = b->frame.dims;
    if (task->noise)
        return task->noise(task->noise_context, t, first, count, eps, error);
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        random_normal((RandomKey){.seed = task->seed,
                                  .purpose = RANDOM_LIKELIHOOD,
                                  .substream = task->split,
                                  .step = (uint32_t)t,
                                  .sample = (uint32_t)(first + i)},
                      eps + (size_t)i * dims, dims);
    return true;
}

/* Puts x_t of images first .. first + count - 1 behind the filled places of the batch. */
static bool draw(Bound *b, int t, int first, int count, Error *error)
{
    const BoundFrame *frame = &b->frame;
    const size_t at = (size_t)b->filled * frame->dims;
    if (!draw_noise(b, t, first, count, b->eps + at, error))
        return false;
    for (int i = 0; i < count; i++)
        b->t[b->filled + i] = t;
    forward_noise(frame->schedule, b->t + b->filled, frame->task->x_0 + (size_t)first * frame->dims,
                  b->eps + at, (size_t)count, frame->dims, b->x_t + at);
    b->filled += count;
    return true;
}

/* Fills the batch with images first .. first + count - 1 at t, and with the same images at as many of
 * the timesteps below as there is room for, if they are all that there are. */
static bool run(Bound *b, int t, int first, int count, Error *error)
{
    const Predictor *predictor = b->frame.predictor;
    b->filled = 0;
    bool ok = draw(b, t, first, count, error);
    if (count == b->frame.task->images)
        while (ok && --t >= 1 && b->filled + count <= predictor->batch)
            ok = !bound_needs(b, t) || draw(b, t, first, count, error);
    ok = ok &&
         predictor->predict(predictor->network, b->x_t, b->t, b->filled, &b->prediction, error);
    b->filled = ok ? b->filled : 0;
    return ok;
}

/* Whether the outputs of all images at t wait in the batch; b->place is theirs then. */
static bool is_waiting(Bound *b, int t)
{
    const int images = b->frame.task->images;
    for (b->place = 0; b->place + images <= b->filled; b->place += images)
        if (b->t[b->place] == t)
            return true;
    b->place = 0;
    return false;
}

/* Adds the images of a batch with every variance that has spectra. */
static bool add_spectra(Bound *b, int t, int first, int count, Error *error)
{
    const BoundTask *task = b->frame.task;
    const size_t dims = b->frame.dims;
    const float *x_t = b->x_t + place_of(b, 0);
    const double *x_0_hat = b->x_0_hat + place_of(b, 0);
    if (!task->spectra)
        return true;
    for (size_t i = 0; i < (size_t)count * dims; i++)
        b->residual[i] = (double)task->x_0[(size_t)first * dims + i] - x_0_hat[i];
    for (int v = 0; v < task->variance_count; v++) {
        if (!task->variances[v]->reads_jacobian || !bound_cells_have_step(&b->cells, v, t))
            continue;
        const Spectrum *spectra =
            task->spectra(task->spectra_context, t, first, count, x_t, b->residual, error);
        for (int i = 0; spectra && i < count; i++) {
            const BoundImage image = image_at(b, t, first, i);
            bound_cells_add_spectrum(&b->cells, &image, v, &spectra[i]);
        }
        if (!spectra)
            return false;
    }
    return true;
}

static bool visit_batch(Bound *b, int t, int first, int count, Error *error)
{
    if (!is_waiting(b, t) && !run(b, t, first, count, error))
        return false;
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        add_image(b, t, first, i);
    bound_tables_end_batch(&b->tables, count);
    return add_spectra(b, t, first, count, error);
}

bool bound_visit(Bound *b, int t, Progress *progress, Error *error)
{
    const int images = b->frame.task->images, batch = b->frame.predictor->batch;
    bound_cells_begin(&b->cells, t);
    bound_tables_begin(&b->tables);
    for (int first = 0; first < images; first += batch) {
        int count = images - first < batch ? images - first : batch;
        if (!visit_batch(b, t, first, count, error))
            return false;
        if (progress)
            progress_update(progress, progress->done + count, "t = %d", t);
    }
    bound_cells_finish(&b->cells, t);
    bound_tables_finish(&b->tables, t);
    calibration_finish(&b->calibration, t);
    return true;
}

/* -- Asking ----------------------------------------------------------------------------------- */

bool bound_needs(const Bound *b, int t)
{
    return b->frame.task->tables || bound_cells_need(&b->cells, t);
}

int bound_needed(const Bound *b, int t)
{
    int count = 0;
    for (; t >= 1; t--)
        count += bound_needs(b, t);
    return count;
}

const BoundSums *bound_sums(const Bound *b)
{
    return &b->sums;
}

double bound_prior(const Bound *b)
{
    const BoundFrame *frame = &b->frame;
    double sum = 0;
    for (int i = 0; i < frame->task->images; i++)
        sum +=
            frame->unit * likelihood_prior(frame->schedule, frame->schedule->timesteps,
                                           frame->task->x_0 + (size_t)i * frame->dims, frame->dims);
    return sum / frame->task->images;
}

double bound_mean(const Bound *b, int cell, double *error)
{
    const int images = b->frame.task->images;
    double mean;
    bound_mean_and_error(b->sums.bits + (size_t)cell * (size_t)images, images, &mean, error);
    /* A computed NaN may have a sign, and print as -nan. */
    if (isnan(*error))
        *error = NAN;
    return isnan(mean) ? NAN : mean;
}
