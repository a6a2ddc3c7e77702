/* Collects residuals, and fits correlations to them (stage2_correlation.h).
 *
 * stage2.correlation: auto fits blocks of 2x2 and of 4x4 pixels to the same images. It keeps the size
 * with the larger gain on held-out images, or none if neither has a gain. Blocks of 8x8 have to be
 * asked for, since their draws and bounds take ten times as long (docs/correlations.md).
 */
#include "train/stage2_correlation.h"

#include "base/group.h"
#include "base/memory.h"
#include "io/correlation_file.h"
#include "variance/estimate.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum {
    /* The images of Adam's pass. */
    IMAGES = 1024,
    /* Bytes of the images that are kept, at most. */
    MOST_BYTES = 512 << 20,
};

struct Stage2Correlation {
    const Variance *variance;
    TimeBins bins;
    /* [capacity] and [capacity, dims]: the residuals of the images so far. */
    int count, capacity;
    int *t;
    float *cov, *off;
    /* [batch, dims]: the residuals of a batch. */
    float *batch_off;
    CorrelationFit fit;
};

/* The variance of the table that reads the head and its correlations; NULL: none does. */
static const Variance *variance_of(const Objective *loss)
{
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (variance_table[v]->is_correlated && strcmp(variance_table[v]->head, loss->name) == 0)
            return variance_table[v];
    return NULL;
}

int correlation_head(const Stage2 *s)
{
    for (int i = 0; i < s->task.count; i++)
        if (s->stage.config->stage2.correlation != CORRELATION_NONE &&
            variance_of(s->task.losses[i]))
            return i;
    return -1;
}

/* -- Images ----------------------------------------------------------------------------------- */

static void drop_images(Stage2Correlation *c)
{
    memory_free(c->t), memory_free(c->cov), memory_free(c->off), memory_free(c->batch_off);
    c->t = NULL, c->cov = c->off = c->batch_off = NULL;
}

void correlation_free(Stage2 *s)
{
    if (!s->correlation)
        return;
    drop_images(s->correlation);
    correlation_fit_free(&s->correlation->fit);
    memory_free(s->correlation);
    s->correlation = NULL;
}

/* The usual ones, if the head has a single one. */
static TimeBins bins_of(const Stage2 *s)
{
    return s->bins.count > 1 ? s->bins : time_bins_usual(s->stage.config->diffusion.timesteps);
}

bool correlation_begin(Stage2 *s, int64_t images, Error *error)
{
    static const char what[] = "the residuals of a head";
    const int head = correlation_head(s);
    const size_t bytes = s->batch.dims * sizeof(float);
    correlation_free(s);
    if (head < 0)
        return true;
    Stage2Correlation *c = s->correlation = memory_small(1, sizeof *c);
    const size_t most = MOST_BYTES / (2 * bytes);
    c->variance = variance_of(s->task.losses[head]);
    c->bins = bins_of(s);
    c->capacity = (size_t)images < most ? (int)images : (int)most;
    const size_t count = (size_t)c->capacity;
    return (c->t = memory_large(count, sizeof *c->t, what, error)) &&
           (c->cov = memory_large(count, bytes, what, error)) &&
           (c->off = memory_large(count, bytes, what, error)) &&
           (c->batch_off = memory_large((size_t)s->batch.size, bytes, what, error));
}

/* Fills entry `to` of the residuals from image i of the batch. */
static void add_image(Stage2 *s, int i, int to)
{
    Stage2Correlation *c = s->correlation;
    const Schedule *schedule = &s->batch.schedule;
    const EstimateSource source = {.schedule = schedule,
                                   .dims = s->batch.dims,
                                   .clip_x0 = true,
                                   .options = estimate_defaults()};
    const int t = c->t[to] = s->batch.t[i];
    const size_t dims = s->batch.dims, at = (size_t)i * dims, place = (size_t)to * dims;
    const float *eps_hat = value_data(s->trunk.eps) + at;
    estimate_cov_x0(&source, c->variance, t, NULL, eps_hat, s->output + at, c->cov + place);
    memcpy(c->off + place, c->batch_off + at, dims * sizeof *c->off);
}

void correlation_add(Stage2 *s)
{
    Stage2Correlation *c = s->correlation;
    if (!c || c->count == c->capacity)
        return;
    const ObjectiveBatch batch = stage2_objective_batch(s);
    objective_residuals(&batch, c->batch_off);
    const int left = c->capacity - c->count, first = s->batch.first;
    const int images = s->batch.whole < left ? s->batch.whole : left;
    const int here = s->batch.size < images - first ? s->batch.size : images - first;
#pragma omp parallel for
    for (int i = 0; i < here; i++)
        add_image(s, i, c->count + first + i);
    c->count += images;
}

/* -- The fit ---------------------------------------------------------------------------------- */

static bool fit_blocks(const Stage2 *s, int size, CorrelationFit *fit, Error *error)
{
    const Stage2Correlation *c = s->correlation;
    const BlockShape shape = {.side = s->stage.config->data.resolution,
                              .channels = s->stage.config->data.channels,
                              .size = size};
    const Residuals residuals = {
        .images = c->count, .dims = s->batch.dims, .t = c->t, .cov = c->cov, .off = c->off};
    return correlation_fit(fit, &residuals, &s->batch.schedule, &c->bins, &shape, error);
}

/* Fits both sizes, and keeps the better one if it has a gain. */
static bool fit_best(Stage2 *s, Error *error)
{
    CorrelationFit *best = &s->correlation->fit;
    const int channels = s->stage.config->data.channels;
    for (int size = 2; size <= 4; size += 2) {
        CorrelationFit fit;
        if (size * size * channels > BLOCK_MOST_ROWS)
            continue;
        if (!fit_blocks(s, size, &fit, error)) {
            correlation_fit_free(&fit);
            return false;
        }
        if (fit.mean_gain > best->mean_gain) { /* which is 0 before the first */
            correlation_fit_free(best);
            *best = fit;
        } else {
            correlation_fit_free(&fit);
        }
    }
    return true;
}

/* Gives the images of every process to all. An image is zeros where it was not added, so a sum
 * brings it. */
static void share_images(Stage2Correlation *c, size_t dims)
{
    const size_t count = (size_t)c->count;
    if (group_size() == 1)
        return;
    double *t = memory_small(count, sizeof *t);
    for (size_t i = 0; i < count; i++)
        t[i] = c->t[i];
    group_sum_doubles(t, count);
    for (size_t i = 0; i < count; i++)
        c->t[i] = (int)t[i];
    memory_free(t);
    group_sum_floats(c->cov, count * dims);
    group_sum_floats(c->off, count * dims);
}

bool correlation_finish(Stage2 *s, Error *error)
{
    Stage2Correlation *c = s->correlation;
    if (!c)
        return true;
    share_images(c, s->batch.dims);
    const int size = config_block_size(s->stage.config);
    const bool ok = size == 0 ? fit_best(s, error) : fit_blocks(s, size, &c->fit, error);
    drop_images(c);
    return ok;
}

/* -- Adam's pass ------------------------------------------------------------------------------ */

/* A graph of the head without dropout. */
typedef struct Evaluation {
    ParamSet params;
    Graph *graph;
    Head head;
} Evaluation;

static bool evaluation_open(Evaluation *e, Stage2 *s, int head, Error *error)
{
    *e = (Evaluation){0};
    e->graph = graph_new(&e->params, (GraphOptions){.batch = s->batch.size, .type = s->type});
    e->head =
        head_build(e->graph, s->stage.config, s->bins.count, s->trunk.features, s->trunk.temb);
    if (!graph_finish(e->graph, error))
        return false;
    graph_load_weights(e->graph, s->stage.learners[head].state.ema);
    return true;
}

static void evaluation_close(Evaluation *e)
{
    graph_free(e->graph);
    params_free(&e->params);
}

/* Runs the batch of `step` within bin `bin`, and adds it. */
static bool pass_batch(Stage2 *s, const Evaluation *e, uint32_t step, int64_t first, int bin,
                       Error *error)
{
    const BatchRange range = {.images = dataset_count(s->batch.dataset),
                              .first = first,
                              .after = s->correlation->bins.first[bin],
                              .last = s->correlation->bins.first[bin + 1]};
    if (!batch_draw_range(&s->batch, step, &range, value_data(s->trunk.x),
                          value_data(s->trunk.time), error) ||
        !stage2_run_trunk(s, step, error) || !graph_forward(e->graph, 0, error))
        return false;
    head_read(&e->head, s->bin, s->batch.size, s->output);
    correlation_add(s);
    return true;
}

bool correlation_measure(Stage2 *s, Error *error)
{
    const int head = correlation_head(s);
    if (head < 0)
        return true;
    Evaluation e = {0};
    bool ok = correlation_begin(s, IMAGES, error) && evaluation_open(&e, s, head, error);
    assert(!ok || s->correlation); /* there is such a head */
    for (int64_t k = 0; ok && k * s->batch.whole < IMAGES; k++)
        ok = pass_batch(s, &e, (uint32_t)(s->stage.steps + k), k * s->batch.whole,
                        (int)(k % s->correlation->bins.count), error);
    evaluation_close(&e);
    return group_agree(ok, error) && correlation_finish(s, error);
}

/* -- The results ------------------------------------------------------------------------------ */

bool correlation_write(const Stage2 *s, CheckpointWriter *writer, Error *error)
{
    const int head = correlation_head(s);
    if (!s->correlation || !s->correlation->fit.correlation.matrix)
        return true;
    return correlation_file_write(writer, s->task.losses[head]->name, &s->correlation->fit, error);
}

void correlation_report(const Stage2 *s)
{
    const Stage2Correlation *c = s->correlation;
    if (!c)
        return;
    const int size = c->fit.correlation.shape.size;
    if (!c->fit.correlation.matrix)
        printf("\nCorrelations of neighbouring pixels do not help on held-out images.\n");
    else
        printf("\nCorrelations within blocks of %dx%d pixels lower the KL of a step to 1 by %.4f "
               "bits/dim\non held-out images.\n",
               size, size, c->fit.mean_gain);
}
