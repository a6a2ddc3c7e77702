#include "evaluation/bound.h"

#include "base/dispatch.h"
#include "base/memory.h"
#include "base/random.h"
#include "diffusion/cov_grid.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "diffusion/reverse.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The variance of rounding to one of 256 grey levels in [-1, 1]: (2 / 255)^2 / 12. */
static const double grey_level_variance = 1 / (3.0 * 255 * 255);

/* What one variance says of one image at t. */
typedef struct Judgement {
    double calibration, floored, sum_cov; /* means over the elements, and a sum */
} Judgement;

struct Bound {
    const Predictor *predictor;
    const BoundTask *task;
    const Schedule *schedule;
    size_t dims;
    double unit; /* bits per dimension of a nat */
    int **
        next; /* [cells]: [N + 1], where a cell's trajectory goes from t; -1: it never comes there */
    BoundSums sums;

    /* One batch, [batch, dims] each but for t [batch]. */
    int *t;
    float *eps, *x_t, *cov;
    double *x_0_hat, *off2;
    Prediction prediction;

    /* One timestep. */
    int *active;           /* [cells]: those that visit it, */
    int active_count;      /* so many; */
    double *kappa, *most;  /* [cells]: their steps */
    double *terms;         /* [cells, images], bits per dimension */
    Judgement *judgements; /* [variances, images] */
    double *sum_off2;      /* [images] */
    double *decoder;       /* [images]: tables' row 0 */
    CovGrid grid;
    double *batch_sums; /* [batch, variances, sums of the grid] */
    double *grid_sums;  /* [variances, sums of the grid] */
};

/* -- Preparation ------------------------------------------------------------------------------ */

static int *make_next(const BoundCell *cell, int total)
{
    int *next = memory_small((size_t)total + 1, sizeof *next);
    for (int t = 0; t <= total; t++)
        next[t] = -1;
    for (int k = 1; k <= cell->steps; k++)
        if (cell->timesteps[k] > cell->timesteps[k - 1])
            next[cell->timesteps[k]] = cell->timesteps[k - 1];
    return next;
}

static bool allocate(double **array, size_t rows, size_t columns, double value, Error *error)
{
    *array = memory_large(rows, columns * sizeof **array, "bounds", error);
    for (size_t i = 0; *array && i < rows * columns; i++)
        (*array)[i] = value;
    return *array != NULL;
}

static bool allocate_sums(Bound *b, Error *error)
{
    const size_t entries = (size_t)b->schedule->timesteps + 1;
    const size_t cells = (size_t)b->task->cell_count, variances = (size_t)b->task->variance_count;
    BoundSums *sums = &b->sums;
    return allocate(&sums->bits, cells, (size_t)b->task->images, 0, error) &&
           allocate(&sums->terms, cells, entries, NAN, error) &&
           allocate(&sums->terms_error, cells, entries, NAN, error) &&
           allocate(&sums->calibration, variances, entries, NAN, error) &&
           allocate(&sums->calibration_error, variances, entries, NAN, error) &&
           allocate(&sums->floored, variances, entries, NAN, error) &&
           allocate(&sums->ratio, variances, entries, NAN, error) &&
           (!b->task->tables ||
            allocate(&sums->tables, variances * entries, entries, INFINITY, error));
}

static bool allocate_batch(Bound *b, Error *error)
{
    const size_t batch = (size_t)b->predictor->batch, image = b->dims * sizeof(float);
    b->t = memory_small(batch, sizeof *b->t);
    float **arrays[] = {&b->eps, &b->x_t, &b->cov, &b->prediction.eps};
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = memory_large(batch, image, "images", error)))
            return false;
    for (int v = 0; v < b->task->variance_count; v++) {
        const int head = predictor_head(b->predictor, b->task->variances[v]);
        if (head >= 0 && !b->prediction.heads[head] &&
            !(b->prediction.heads[head] = memory_large(batch, image, "images", error)))
            return false;
    }
    return allocate(&b->x_0_hat, batch, b->dims, 0, error) &&
           allocate(&b->off2, batch, b->dims, 0, error);
}

static bool allocate_timestep(Bound *b, Error *error)
{
    const size_t images = (size_t)b->task->images, cells = (size_t)b->task->cell_count;
    const size_t variances = (size_t)b->task->variance_count, batch = (size_t)b->predictor->batch;
    b->active = memory_small(cells, sizeof *b->active);
    b->kappa = memory_small(cells, sizeof *b->kappa);
    b->most = memory_small(cells, sizeof *b->most);
    b->judgements = memory_large(variances * images, sizeof *b->judgements, "bounds", error);
    if (!b->judgements || !allocate(&b->terms, cells, images, 0, error) ||
        !allocate(&b->sum_off2, 1, images, 0, error) || !allocate(&b->decoder, 1, images, 0, error))
        return false;
    if (!b->task->tables)
        return true;
    const EstimateOptions *estimate = &b->predictor->source.options;
    assert(estimate->clip);
    cov_grid_make(&b->grid, estimate_most(estimate),
                  likelihood_kappa(b->schedule, 1, b->schedule->timesteps));
    const size_t sums = variances * cov_grid_sums(&b->grid);
    return allocate(&b->batch_sums, batch, sums, 0, error) &&
           allocate(&b->grid_sums, 1, sums, 0, error);
}

static void mean_and_error(const double *values, int count, double *mean, double *error)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    *mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *error = count > 1 ? sqrt(squares / (count - 1) / count) : NAN;
}

/* The bounds begin with the priors. */
static void add_priors(Bound *b)
{
    const BoundTask *task = b->task;
    const size_t entries = (size_t)b->schedule->timesteps + 1;
    for (int c = 0; c < task->cell_count; c++) {
        const BoundCell *cell = &task->cells[c];
        double *bits = b->sums.bits + (size_t)c * (size_t)task->images;
        for (int i = 0; i < task->images; i++)
            bits[i] = b->unit * likelihood_prior(b->schedule, cell->timesteps[cell->steps],
                                                 task->x_0 + (size_t)i * b->dims, b->dims);
        mean_and_error(bits, task->images, &b->sums.terms[(size_t)c * entries],
                       &b->sums.terms_error[(size_t)c * entries]);
    }
}

bool bound_make(Bound **result, const Predictor *predictor, const BoundTask *task, Error *error)
{
    Bound *b = memory_small(1, sizeof *b);
    *result = NULL;
    *b = (Bound){.predictor = predictor,
                 .task = task,
                 .schedule = predictor->source.schedule,
                 .dims = predictor->source.dims,
                 .unit = 1 / ((double)predictor->source.dims * log(2))};
    b->next = memory_small((size_t)task->cell_count, sizeof *b->next);
    for (int c = 0; c < task->cell_count; c++)
        b->next[c] = make_next(&task->cells[c], b->schedule->timesteps);
    if (!allocate_sums(b, error) || !allocate_batch(b, error) || !allocate_timestep(b, error)) {
        bound_free(b);
        return false;
    }
    add_priors(b);
    *result = b;
    return true;
}

void bound_free(Bound *b)
{
    if (!b)
        return;
    for (int c = 0; c < b->task->cell_count; c++)
        memory_free(b->next[c]);
    for (int head = 0; head < PREDICTOR_MAX_HEADS; head++)
        memory_free(b->prediction.heads[head]);
    void *const arrays[] = {
        b->next,
        b->sums.bits,
        b->sums.terms,
        b->sums.terms_error,
        b->sums.calibration,
        b->sums.calibration_error,
        b->sums.floored,
        b->sums.ratio,
        b->sums.tables,
        b->t,
        b->eps,
        b->x_t,
        b->cov,
        b->x_0_hat,
        b->off2,
        b->prediction.eps,
        b->active,
        b->kappa,
        b->most,
        b->terms,
        b->judgements,
        b->sum_off2,
        b->decoder,
        b->batch_sums,
        b->grid_sums,
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
    cov_grid_free(&b->grid);
    memory_free(b);
}

/* -- One image -------------------------------------------------------------------------------- */

/* Sums over an image's elements: r^2 / c, how many c are below the floor, c. */
VECTORISED static void calibrate(const float *cov, const double *off2, size_t count, double *square,
                                 double *floored, double *sum_cov)
{
    double sum = 0, below = 0, all = 0;
#pragma omp simd reduction(+ : sum, below, all)
    for (size_t i = 0; i < count; i++) {
        double c = cov[i];
        bool low = c < grey_level_variance;
        sum += off2[i] / (low ? grey_level_variance : c);
        below += low ? 1.0 : 0.0;
        all += c;
    }
    *square = sum;
    *floored = below;
    *sum_cov = all;
}

static void judge(Bound *b, int v, int image, const float *cov, const double *off2)
{
    Judgement *j = &b->judgements[(size_t)v * (size_t)b->task->images + (size_t)image];
    calibrate(cov, off2, b->dims, &j->calibration, &j->floored, &j->sum_cov);
    j->calibration /= (double)b->dims;
    j->floored /= (double)b->dims;
}

/* Image `first` + i of the task, the i-th of the batch, with one variance. */
static void add_variance(Bound *b, int v, int t, int first, int i)
{
    const BoundTask *task = b->task;
    const Variance *variance = task->variances[v];
    const EstimateSource *source = &b->predictor->source;
    const size_t at = (size_t)i * b->dims;
    const int image = first + i;
    const float *head = prediction_of(&b->prediction, predictor_head(b->predictor, variance), at);
    float *cov = b->cov + at;
    const double *off2 = b->off2 + at, sum_off2 = b->sum_off2[image];
    const bool scalar = estimate_is_scalar(&source->options, variance);

    estimate_cov_x0(source, variance, t, b->x_t + at, b->prediction.eps + at, head, cov);
    judge(b, v, image, cov, off2);
    for (int k = 0; k < b->active_count; k++) {
        const int c = b->active[k];
        if (task->cells[c].variance != v || b->next[c][t] == 0)
            continue;
        const double most = b->most[c], c_0 = cov[0];
        b->terms[(size_t)c * (size_t)task->images + (size_t)image] =
            b->unit * (scalar ? likelihood_step_scalar(b->kappa[c], sum_off2,
                                                       c_0 > most ? most : c_0, b->dims)
                              : likelihood_step(b->kappa[c], off2, cov, most, b->dims));
    }
    if (!task->tables)
        return;
    const size_t size = cov_grid_sums(&b->grid);
    double *sums = b->batch_sums + (size_t)(i * task->variance_count + v) * size;
    memset(sums, 0, size * sizeof *sums);
    if (scalar)
        cov_grid_add_scalar(&b->grid, cov[0], (double)b->dims, sum_off2, sums);
    else
        cov_grid_add(&b->grid, cov, off2, b->dims, sums);
}

/* The decoder's term does not depend on the variance; it may be needed with two variances of its own. */
static void add_decoders(Bound *b, int t, int first, int i)
{
    const BoundTask *task = b->task;
    const size_t at = (size_t)i * b->dims;
    const int image = first + i;
    const float *x_0 = task->x_0 + (size_t)image * b->dims;
    const double *x_0_hat = b->x_0_hat + at;
    double usual = NAN, free = NAN; /* not computed yet */
    for (int k = 0; k < b->active_count; k++) {
        const int c = b->active[k];
        if (b->next[c][t] != 0)
            continue;
        const bool is_free = task->cells[c].trajectory == TRAJECTORY_DP;
        double *value = is_free ? &free : &usual;
        if (isnan(*value))
            *value = b->unit *
                     likelihood_decoder(is_free ? likelihood_free_decoder_variance(b->schedule, t)
                                                : likelihood_decoder_variance(b->schedule),
                                        x_0, x_0_hat, b->dims);
        b->terms[(size_t)c * (size_t)task->images + (size_t)image] = *value;
    }
    if (task->tables)
        b->decoder[image] =
            !isnan(free)
                ? free
                : b->unit * likelihood_decoder(likelihood_free_decoder_variance(b->schedule, t),
                                               x_0, x_0_hat, b->dims);
}

static void add_image(Bound *b, int t, int first, int i)
{
    const size_t at = (size_t)i * b->dims;
    b->sum_off2[first + i] = likelihood_mean(
        b->schedule, t, b->predictor->source.clip_x0, b->task->x_0 + (size_t)(first + i) * b->dims,
        b->x_t + at, b->prediction.eps + at, b->dims, b->x_0_hat + at, b->off2 + at);
    for (int v = 0; v < b->task->variance_count; v++)
        add_variance(b, v, t, first, i);
    add_decoders(b, t, first, i);
}

/* -- One timestep ----------------------------------------------------------------------------- */

static void prepare_steps(Bound *b, int t)
{
    const BoundTask *task = b->task;
    b->active_count = 0;
    for (int c = 0; c < task->cell_count; c++) {
        const int s = b->next[c][t];
        if (s < 0)
            continue;
        b->active[b->active_count++] = c;
        b->kappa[c] = s > 0 ? likelihood_kappa(b->schedule, s, t) : 0;
        b->most[c] = INFINITY;
        if (task->clip_pixel > 0 && s > 0 && b->next[c][s] == 0)
            b->most[c] =
                likelihood_most_cov(b->schedule, s, t, reverse_pixel_variance(task->clip_pixel));
    }
    if (task->tables)
        memset(b->grid_sums, 0,
               (size_t)task->variance_count * cov_grid_sums(&b->grid) * sizeof *b->grid_sums);
}

static bool draw(Bound *b, int t, int first, int count, Error *error)
{
    const BoundTask *task = b->task;
    if (task->noise)
        return task->noise(task->noise_context, t, first, count, b->eps, error);
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        random_normal((RandomKey){.seed = task->seed,
                                  .purpose = RANDOM_LIKELIHOOD,
                                  .substream = task->split,
                                  .step = (uint32_t)t,
                                  .sample = (uint32_t)(first + i)},
                      b->eps + (size_t)i * b->dims, b->dims);
    return true;
}

static bool visit_batch(Bound *b, int t, int first, int count, Error *error)
{
    const BoundTask *task = b->task;
    if (!draw(b, t, first, count, error))
        return false;
    for (int i = 0; i < count; i++)
        b->t[i] = t;
    forward_noise(b->schedule, b->t, task->x_0 + (size_t)first * b->dims, b->eps, (size_t)count,
                  b->dims, b->x_t);
    if (!b->predictor->predict(b->predictor->network, b->x_t, b->t, count, &b->prediction, error))
        return false;
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        add_image(b, t, first, i);
    if (task->tables) { /* in the images' order, whatever the threads */
        const size_t size = (size_t)task->variance_count * cov_grid_sums(&b->grid);
        for (int i = 0; i < count; i++)
            for (size_t j = 0; j < size; j++)
                b->grid_sums[j] += b->batch_sums[(size_t)i * size + j];
    }
    return true;
}

static void finish_cells(Bound *b, int t)
{
    const int images = b->task->images;
    const size_t entries = (size_t)b->schedule->timesteps + 1;
    for (int k = 0; k < b->active_count; k++) {
        const size_t c = (size_t)b->active[k];
        const double *terms = b->terms + c * (size_t)images;
        double *bits = b->sums.bits + c * (size_t)images;
        for (int i = 0; i < images; i++)
            bits[i] += terms[i];
        mean_and_error(terms, images, &b->sums.terms[c * entries + (size_t)t],
                       &b->sums.terms_error[c * entries + (size_t)t]);
    }
}

static void finish_calibration(Bound *b, int t)
{
    const int images = b->task->images;
    for (int v = 0; v < b->task->variance_count; v++) {
        const size_t at = (size_t)v * ((size_t)b->schedule->timesteps + 1) + (size_t)t;
        const Judgement *judgements = b->judgements + (size_t)v * (size_t)images;
        double sum = 0, squares = 0, floored = 0, off2 = 0, cov = 0;
        if (b->task->variances[v]->step == REVERSE_BETA_TILDE)
            continue;
        for (int i = 0; i < images; i++) {
            sum += judgements[i].calibration;
            floored += judgements[i].floored;
            off2 += b->sum_off2[i];
            cov += judgements[i].sum_cov;
        }
        for (int i = 0; i < images; i++) {
            double off = judgements[i].calibration - sum / images;
            squares += off * off;
        }
        b->sums.calibration[at] = sum / images;
        b->sums.calibration_error[at] = images > 1 ? sqrt(squares / (images - 1) / images) : NAN;
        b->sums.floored[at] = floored / images;
        b->sums.ratio[at] = off2 / cov;
    }
}

static void finish_tables(Bound *b, int t)
{
    const int variances = b->task->variance_count, images = b->task->images;
    const size_t entries = (size_t)b->schedule->timesteps + 1;
    double decoder, error;
    mean_and_error(b->decoder, images, &decoder, &error);
#pragma omp parallel for schedule(dynamic, 16)
    for (int s = 0; s < t; s++) {
        double costs[VARIANCE_COUNT];
        if (s > 0)
            cov_grid_step(&b->grid, likelihood_kappa(b->schedule, s, t), b->grid_sums, variances,
                          costs);
        for (int v = 0; v < variances; v++)
            b->sums.tables[((size_t)v * entries + (size_t)s) * entries + (size_t)t] =
                s == 0 ? decoder : b->unit * costs[v] / images;
    }
}

bool bound_visit(Bound *b, int t, Progress *progress, Error *error)
{
    const int images = b->task->images, batch = b->predictor->batch;
    prepare_steps(b, t);
    for (int first = 0; first < images; first += batch) {
        int count = images - first < batch ? images - first : batch;
        if (!visit_batch(b, t, first, count, error))
            return false;
        if (progress)
            progress_update(progress, progress->done + count, "t = %d", t);
    }
    finish_cells(b, t);
    finish_calibration(b, t);
    if (b->task->tables)
        finish_tables(b, t);
    return true;
}

/* -- Asking ----------------------------------------------------------------------------------- */

bool bound_needs(const Bound *b, int t)
{
    bool needed = b->task->tables;
    for (int c = 0; !needed && c < b->task->cell_count; c++)
        needed = b->next[c][t] >= 0;
    return needed;
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
    double sum = 0;
    for (int i = 0; i < b->task->images; i++)
        sum += b->unit * likelihood_prior(b->schedule, b->schedule->timesteps,
                                          b->task->x_0 + (size_t)i * b->dims, b->dims);
    return sum / b->task->images;
}

double bound_mean(const Bound *b, int cell, double *error)
{
    double mean;
    mean_and_error(b->sums.bits + (size_t)cell * (size_t)b->task->images, b->task->images, &mean,
                   error);
    if (isnan(mean))
        return *error = NAN; /* the one without a sign */
    return mean;
}
