/* The terms of a bound's cells.
 *
 * A cell has a term at timestep t if its trajectory visits t. `begin` lists these cells and
 * computes their steps t -> s. Then each image adds its terms. An estimate of Cov[x_0 | x_t] serves
 * every cell of its variance, since s enters a term through kappa alone (diffusion/likelihood.h). A
 * variance that depends on s is evaluated again for each cell. Terms are kept for each image until
 * the timestep is finished. So the sums change only when a timestep is complete, and their order
 * does not depend on the number of threads.
 */
#include "evaluation/bound_cells.h"

#include "diffusion/likelihood.h"

/* -- Preparation ------------------------------------------------------------------------------ */

/* next [total + 1]: the timestep that the cell's trajectory goes to from t, or -1. */
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

static bool any_step_variance(const BoundTask *task)
{
    for (int v = 0; v < task->variance_count; v++)
        if (task->variances[v]->step_variance)
            return true;
    return false;
}

static bool allocate(BoundCells *cells, Error *error)
{
    const BoundFrame *frame = cells->frame;
    const size_t count = (size_t)frame->task->cell_count, images = (size_t)frame->task->images;
    const size_t entries = (size_t)frame->schedule->timesteps + 1;
    cells->active = memory_small(count, sizeof *cells->active);
    cells->kappa = memory_small(count, sizeof *cells->kappa);
    cells->most = memory_small(count, sizeof *cells->most);
    cells->steps = memory_small(count, sizeof *cells->steps);
    return bound_allocate(&cells->bits, count, images, 0, error) &&
           bound_allocate(&cells->terms, count, images, 0, error) &&
           bound_allocate(&cells->mean, count, entries, NAN, error) &&
           bound_allocate(&cells->error, count, entries, NAN, error) &&
           (!frame->task->spectra ||
            (bound_allocate(&cells->spread, count, images, 0, error) &&
             bound_allocate(&cells->quadrature, count, images, 0, error))) &&
           (!any_step_variance(frame->task) ||
            bound_allocate(&cells->step_variance, (size_t)frame->predictor->batch, frame->dims, 0,
                           error));
}

/* The bits of every image begin with the prior at the trajectory's last timestep. */
static void add_priors(BoundCells *cells)
{
    const BoundFrame *frame = cells->frame;
    const BoundTask *task = frame->task;
    const size_t entries = (size_t)frame->schedule->timesteps + 1;
    for (int c = 0; c < task->cell_count; c++) {
        const BoundCell *cell = &task->cells[c];
        double *bits = cells->bits + (size_t)c * (size_t)task->images;
        for (int i = 0; i < task->images; i++)
            bits[i] =
                frame->unit * likelihood_prior(frame->schedule, cell->timesteps[cell->steps],
                                               task->x_0 + (size_t)i * frame->dims, frame->dims);
        bound_mean_and_error(bits, task->images, &cells->mean[(size_t)c * entries],
                             &cells->error[(size_t)c * entries]);
    }
}

bool bound_cells_make(BoundCells *cells, const BoundFrame *frame, Error *error)
{
    const BoundTask *task = frame->task;
    *cells = (BoundCells){.frame = frame};
    cells->next = memory_small((size_t)task->cell_count, sizeof *cells->next);
    for (int c = 0; c < task->cell_count; c++)
        cells->next[c] = make_next(&task->cells[c], frame->schedule->timesteps);
    if (!allocate(cells, error))
        return false;
    add_priors(cells);
    return true;
}

void bound_cells_free(BoundCells *cells)
{
    for (int c = 0; cells->next && c < cells->frame->task->cell_count; c++)
        memory_free(cells->next[c]);
    void *const arrays[] = {
        cells->next,  cells->active, cells->kappa,         cells->most,
        cells->steps, cells->terms,  cells->step_variance, cells->bits,
        cells->mean,  cells->error,  cells->spread,        cells->quadrature,
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
}

bool bound_cells_need(const BoundCells *cells, int t)
{
    for (int c = 0; c < cells->frame->task->cell_count; c++)
        if (cells->next[c][t] >= 0)
            return true;
    return false;
}

/* -- One timestep ----------------------------------------------------------------------------- */

/* Prepares the step t -> s of cell c, s > 0. The noise of the step to t_1, the cell's first
 * timestep, is bounded if the task wants it (clip_pixel). */
static void prepare_step(BoundCells *cells, int c, int s, int t)
{
    const BoundFrame *frame = cells->frame;
    const bool to_t_1 = cells->next[c][s] == 0;
    const ReverseOptions options = {.sampler = SAMPLER_DDPM,
                                    .clip_x0 = frame->predictor->source.clip_x0,
                                    .clip_pixel = frame->task->clip_pixel,
                                    .clip_sigma_to = to_t_1 ? s : 0};
    cells->steps[c] = reverse_step(frame->schedule, &options, s, t);
    cells->kappa[c] = likelihood_kappa(frame->schedule, s, t);
    cells->most[c] = INFINITY;
    if (cells->steps[c].max_variance < INFINITY)
        cells->most[c] = likelihood_most_cov(frame->schedule, s, t, cells->steps[c].max_variance);
}

void bound_cells_begin(BoundCells *cells, int t)
{
    cells->active_count = 0;
    for (int c = 0; c < cells->frame->task->cell_count; c++) {
        const int s = cells->next[c][t];
        if (s < 0)
            continue;
        cells->active[cells->active_count++] = c;
        if (s > 0)
            prepare_step(cells, c, s, t);
    }
}

static void set_term(BoundCells *cells, int c, const BoundImage *image, double nats)
{
    const BoundFrame *frame = cells->frame;
    cells->terms[(size_t)c * (size_t)frame->task->images + (size_t)image->index] =
        frame->unit * nats;
}

void bound_cells_add_decoder(BoundCells *cells, const BoundImage *image)
{
    const BoundFrame *frame = cells->frame;
    /* The term does not depend on the cell's variance, but trajectories of dp use another decoder
     * variance. */
    double usual = NAN, free = NAN; /* not computed yet */
    for (int k = 0; k < cells->active_count; k++) {
        const int c = cells->active[k];
        if (cells->next[c][image->t] != 0)
            continue;
        const bool is_free = frame->task->cells[c].trajectory == TRAJECTORY_DP;
        double *nats = is_free ? &free : &usual;
        if (isnan(*nats))
            *nats = likelihood_decoder(
                is_free ? likelihood_free_decoder_variance(frame->schedule, image->t)
                        : likelihood_decoder_variance(frame->schedule),
                image->x_0, image->x_0_hat, frame->dims);
        set_term(cells, c, image, *nats);
    }
}

/* Whether cell c has variance v and its term at t is a step, not the decoder. */
static bool has_step(const BoundCells *cells, int c, int v, int t)
{
    return cells->frame->task->cells[c].variance == v && cells->next[c][t] != 0;
}

/* The term of a covariance with correlations, where the step's variance is bounded. As in a draw
 * (block_covariance_draw), no element has more than `most`. Below 0, `most` lowers lambda^2 itself,
 * and nothing of the covariance is left. */
static double bounded_step(const BoundCells *cells, int c, const BoundImage *image,
                           const BoundEstimate *estimate)
{
    const size_t dims = cells->frame->dims;
    const double most = cells->most[c];
    if (most <= 0)
        return likelihood_step(cells->kappa[c], image->off2, estimate->diagonal, most, dims);
    double *off = memory_small(2 * dims, sizeof *off), *square = off + dims;
    float *lowered = memory_small(2 * dims, sizeof *lowered), *value = lowered + dims;
    for (size_t i = 0; i < dims; i++)
        lowered[i] = estimate->diagonal[i] > most ? (float)most : estimate->diagonal[i];
    bound_rotate(cells->frame, image, lowered, off, value, square);
    const double nats = likelihood_step(cells->kappa[c], square, value, INFINITY, dims);
    memory_free(off);
    memory_free(lowered);
    return nats;
}

/* The term of cell c, in nats. */
static double step_term(const BoundCells *cells, int c, const BoundImage *image,
                        const BoundEstimate *estimate)
{
    const size_t dims = cells->frame->dims;
    const double most = cells->most[c], c_0 = estimate->cov[0];
    if (estimate->is_scalar)
        return likelihood_step_scalar(cells->kappa[c], image->sum_off2, c_0 > most ? most : c_0,
                                      dims);
    if (estimate->diagonal && most < INFINITY)
        return bounded_step(cells, c, image, estimate);
    return likelihood_step(cells->kappa[c], estimate->off2, estimate->cov, most, dims);
}

void bound_cells_add_estimate(BoundCells *cells, const BoundImage *image,
                              const BoundEstimate *estimate)
{
    for (int k = 0; k < cells->active_count; k++) {
        const int c = cells->active[k];
        if (has_step(cells, c, estimate->variance, image->t))
            set_term(cells, c, image, step_term(cells, c, image, estimate));
    }
}

void bound_cells_add_steps(BoundCells *cells, const BoundImage *image, int v,
                           const VarianceInput *input)
{
    const BoundFrame *frame = cells->frame;
    double *variance = cells->step_variance + (size_t)image->slot * frame->dims;
    for (int k = 0; k < cells->active_count; k++) {
        const int c = cells->active[k];
        if (!has_step(cells, c, v, image->t))
            continue;
        frame->task->variances[v]->step_variance(input, &cells->steps[c], variance);
        set_term(cells, c, image,
                 likelihood_step_of_variance(&cells->steps[c], image->off2, variance, frame->dims));
    }
}

bool bound_cells_have_step(const BoundCells *cells, int v, int t)
{
    for (int k = 0; k < cells->active_count; k++)
        if (has_step(cells, cells->active[k], v, t))
            return true;
    return false;
}

void bound_cells_add_spectrum(BoundCells *cells, const BoundImage *image, int v,
                              const Spectrum *spectrum)
{
    const BoundFrame *frame = cells->frame;
    for (int k = 0; k < cells->active_count; k++) {
        const int c = cells->active[k];
        if (!has_step(cells, c, v, image->t))
            continue;
        double error2;
        set_term(cells, c, image,
                 spectrum_step(spectrum, cells->kappa[c], cells->most[c], &error2));
        cells->spread[(size_t)c * (size_t)frame->task->images + (size_t)image->index] =
            frame->unit * frame->unit * error2;
    }
}

/* Adds the variances of the timestep's terms of cell c. The decoder and other variances have
 * none. */
static void add_spread(BoundCells *cells, size_t c)
{
    const size_t images = (size_t)cells->frame->task->images;
    for (size_t i = c * images; cells->quadrature && i < (c + 1) * images; i++) {
        cells->quadrature[i] += cells->spread[i];
        cells->spread[i] = 0;
    }
}

void bound_cells_finish(BoundCells *cells, int t)
{
    const int images = cells->frame->task->images;
    const size_t entries = (size_t)cells->frame->schedule->timesteps + 1;
    for (int k = 0; k < cells->active_count; k++) {
        const size_t c = (size_t)cells->active[k], at = c * entries + (size_t)t;
        const double *terms = cells->terms + c * (size_t)images;
        double *bits = cells->bits + c * (size_t)images;
        for (int i = 0; i < images; i++)
            bits[i] += terms[i];
        add_spread(cells, c);
        bound_mean_and_error(terms, images, &cells->mean[at], &cells->error[at]);
    }
}
