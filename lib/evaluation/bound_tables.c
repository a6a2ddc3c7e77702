/* The costs of all steps t -> s.
 *
 * A timestep t has t steps, and computing each step for every element would take too long. Instead
 * the elements are spread over a grid of estimates (diffusion/cov_grid.h). The cost of any step
 * follows from the grid's sums. Each image of a batch has its own sums, and these are added in the
 * images' order. So the tables do not depend on the number of threads.
 */
#include "evaluation/bound_tables.h"

#include "diffusion/likelihood.h"

#include <assert.h>
#include <string.h>

static size_t sums_of_image(const BoundTables *tables)
{
    return (size_t)tables->frame->task->variance_count * cov_grid_sums(&tables->grid);
}

/* The largest estimate, or eigenvalue of a covariance with correlations: at most the sum of a
 * block's diagonal. */
static double most_estimate(const BoundFrame *frame)
{
    const EstimateSource *source = &frame->predictor->source;
    return estimate_most(&source->options) *
           (bound_any_correlated(frame->task) ? block_rows(&source->correlation->shape) : 1);
}

bool bound_tables_make(BoundTables *tables, const BoundFrame *frame, Error *error)
{
    const BoundTask *task = frame->task;
    const size_t entries = (size_t)frame->schedule->timesteps + 1;
    const size_t variances = (size_t)task->variance_count;
    *tables = (BoundTables){0};
    if (!task->tables)
        return true;
    assert(frame->predictor->source.options.clip);
    tables->frame = frame;
    cov_grid_make(&tables->grid, most_estimate(frame),
                  likelihood_kappa(frame->schedule, 1, frame->schedule->timesteps));
    return bound_allocate(&tables->tables, variances * entries, entries, INFINITY, error) &&
           bound_allocate(&tables->batch_sums, (size_t)frame->predictor->batch,
                          sums_of_image(tables), 0, error) &&
           bound_allocate(&tables->grid_sums, 1, sums_of_image(tables), 0, error) &&
           bound_allocate(&tables->costs, entries, variances, 0, error) &&
           bound_allocate(&tables->decoder, 1, (size_t)task->images, 0, error);
}

void bound_tables_free(BoundTables *tables)
{
    cov_grid_free(&tables->grid);
    memory_free(tables->batch_sums);
    memory_free(tables->grid_sums);
    memory_free(tables->costs);
    memory_free(tables->decoder);
    memory_free(tables->tables);
}

void bound_tables_begin(BoundTables *tables)
{
    if (tables->frame)
        memset(tables->grid_sums, 0, sums_of_image(tables) * sizeof *tables->grid_sums);
}

void bound_tables_add_decoder(BoundTables *tables, const BoundImage *image)
{
    const BoundFrame *frame = tables->frame;
    if (frame)
        tables->decoder[image->index] =
            frame->unit *
            likelihood_decoder(likelihood_free_decoder_variance(frame->schedule, image->t),
                               image->x_0, image->x_0_hat, frame->dims);
}

void bound_tables_add_estimate(BoundTables *tables, const BoundImage *image,
                               const BoundEstimate *estimate)
{
    const BoundFrame *frame = tables->frame;
    if (!frame)
        return;
    const size_t size = cov_grid_sums(&tables->grid);
    double *sums = tables->batch_sums + (size_t)image->slot * sums_of_image(tables) +
                   (size_t)estimate->variance * size;
    memset(sums, 0, size * sizeof *sums);
    if (estimate->is_scalar)
        cov_grid_add_scalar(&tables->grid, estimate->cov[0], (double)frame->dims, image->sum_off2,
                            sums);
    else
        cov_grid_add(&tables->grid, estimate->cov, estimate->off2, frame->dims, sums);
}

void bound_tables_end_batch(BoundTables *tables, int count)
{
    if (!tables->frame)
        return;
    const size_t size = sums_of_image(tables);
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < size; j++)
            tables->grid_sums[j] += tables->batch_sums[(size_t)i * size + j];
}

void bound_tables_finish(BoundTables *tables, int t)
{
    const BoundFrame *frame = tables->frame;
    if (!frame)
        return;
    const int variances = frame->task->variance_count, images = frame->task->images;
    const size_t entries = (size_t)frame->schedule->timesteps + 1;
    double decoder, error;
    bound_mean_and_error(tables->decoder, images, &decoder, &error);
#pragma omp parallel for schedule(dynamic, 16)
    for (int s = 0; s < t; s++) {
        double *costs = tables->costs + (size_t)s * (size_t)variances;
        if (s > 0)
            cov_grid_step(&tables->grid, likelihood_kappa(frame->schedule, s, t), tables->grid_sums,
                          variances, costs);
        for (int v = 0; v < variances; v++)
            tables->tables[((size_t)v * entries + (size_t)s) * entries + (size_t)t] =
                s == 0 ? decoder : frame->unit * costs[v] / images;
    }
}
