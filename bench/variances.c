/* The costs of the variances nll, nll_block and gms beside those that they are compared with.
 *
 *     draws      a step of sampling whose noise has correlations within blocks of 4x4 pixels; its
 *                floor is the same step with a diagonal covariance
 *     gms        the same step with a mixture of two Gaussians; its floor is the step of sn
 *     solution   a gamma regression on random features; its floor is one product of the Hessian with
 *                a vector, so that the ratio is the number of passes over the rows
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/net.h"
#include "bench/runner.h"
#include "model/precision.h"
#include "stats/block_rows.h"
#include "variance/step_sample.h"

#include <math.h>
#include <string.h>

/* -- Draws ------------------------------------------------------------------------------------ */

typedef struct DrawRunner {
    Runner runner;
    Net net;
    Schedule schedule;
    BlockCorrelation correlation;
    size_t dims;
    /* Of the step, and of its floor. */
    const Variance *variance, *beside;
    /* [batch, dims] */
    float *x, *noise, *cov, *next;
} DrawRunner;

/* A pass of the network and a step from the middle. */
static bool take_step(DrawRunner *r, const Variance *variance, int step, Error *error)
{
    const int t = r->schedule.timesteps / 2, images = r->runner.batch;
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const ReverseStep move = reverse_step(&r->schedule, &options, t - 20, t);
    const EstimateSource source = {.schedule = &r->schedule,
                                   .dims = r->dims,
                                   .clip_x0 = true,
                                   .correlation = &r->correlation,
                                   .options = estimate_defaults()};
    if (!net_run(&r->net, r->x, (size_t)images * r->dims, schedule_model_time(&r->schedule, t),
                 images, error))
        return false;
#pragma omp parallel for
    for (int i = 0; i < images; i++) {
        const size_t at = (size_t)i * r->dims;
        random_normal((RandomKey){.purpose = RANDOM_SAMPLE_NOISE,
                                  .step = (uint32_t)step,
                                  .sample = (uint32_t)i},
                      r->noise + at, r->dims);
        step_sample(&source, variance, &move, r->x + at, value_data(r->net.unet.eps) + at,
                    value_data(r->net.heads[NET_NPR].out) + at,
                    value_data(r->net.heads[NET_SN].out) + at, r->noise + at, r->cov + at,
                    r->next + at);
    }
    return true;
}

static bool draw_step(Runner *runner, int step, Error *error)
{
    DrawRunner *r = (DrawRunner *)runner;
    return take_step(r, r->variance, step, error);
}

static double draw_beside(Runner *runner, int step)
{
    DrawRunner *r = (DrawRunner *)runner;
    const double begin = clock_seconds();
    take_step(r, r->beside, step, &(Error){0}); /* it has just gone well */
    return clock_seconds() - begin;
}

/* Correlations that fall off with the distance. */
static bool make_correlation(DrawRunner *r, const Config *config, Error *error)
{
    BlockCorrelation *c = &r->correlation;
    c->shape =
        (BlockShape){.side = config->data.resolution, .channels = config->data.channels, .size = 4};
    c->bins = time_bins_even(1, r->schedule.timesteps);
    const int n = block_rows(&c->shape);
    c->matrix = memory_large((size_t)(n * n), sizeof(float), "correlations", error);
    for (int i = 0; c->matrix && i < n * n; i++) {
        const int a = i / n / config->data.channels, b = i % n / config->data.channels;
        const bool same = i / n == i % n;
        c->matrix[i] = same ? 1 : (float)pow(0.7, 1 + hypot(a / 4 - b / 4, a % 4 - b % 4));
    }
    return c->matrix != NULL;
}

bool draws_make(Runner **runner, const Task *task, Error *error)
{
    const Config *config = &task->config;
    const size_t side = (size_t)config->data.resolution, images = (size_t)config->stage1.batch;
    DrawRunner *r = memory_small(1, sizeof *r);
    DType type;
    *runner = &r->runner;
    r->runner = (Runner){.batch = (int)images, .step = draw_step, .floor = draw_beside};
    r->variance = task->work == WORK_GMS ? &variance_gms : &variance_nll_block;
    r->beside = task->work == WORK_GMS ? &variance_sn : &variance_nll;
    r->dims = side * side * (size_t)config->data.channels;
    float **const arrays[] = {&r->x, &r->noise, &r->cov, &r->next};
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = memory_large(images, r->dims * sizeof(float), "samples", error)))
            return false;
    random_normal((RandomKey){.purpose = RANDOM_SAMPLE_START}, r->x, images * r->dims);
    return precision_choose(config->precision, &type, error) &&
           config_make_schedule(&r->schedule, config, error) &&
           net_make(&r->net, config, NULL, type, (int)images, error) &&
           make_correlation(r, config, error);
}

void draws_free(Runner *runner)
{
    DrawRunner *r = (DrawRunner *)runner;
    if (!r)
        return;
    net_free(&r->net);
    schedule_free(&r->schedule);
    memory_free(r->correlation.matrix);
    memory_free(r->x);
    memory_free(r->noise);
    memory_free(r->cov);
    memory_free(r->next);
    memory_free(r);
}

/* -- The solution ----------------------------------------------------------------------------- */

enum { SOLUTION_IMAGES = 16 };

typedef struct SolutionRunner {
    Runner runner;
    BlockSample *sample;
    BlockRows *rows;
    GammaRows maps;
    /* [rows]: r, and a vector. [P]: weights. [P (P + 1) / 2]. */
    double *r, *l, *w, *fisher;
} SolutionRunner;

static bool solve(Runner *runner, int step, Error *error)
{
    SolutionRunner *r = (SolutionRunner *)runner;
    const GammaProblem problem = {
        .rows = &r->maps, .r = r->r, .fisher = r->fisher, .ridge = 1e-4, .tolerance = 1e-7};
    GammaFit fit;
    (void)step;
    gamma_regression_constant(&r->maps, r->r, r->w);
    return gamma_regression_fit(&problem, r->w, &fit, error);
}

static double product(Runner *runner, int step)
{
    SolutionRunner *r = (SolutionRunner *)runner;
    const double begin = clock_seconds();
    (void)step;
    gamma_rows_apply(&r->maps, r->w, r->l);
    for (int c = 0; c < r->maps.chunks; c++)
        r->maps.add(r->maps.context, c, r->l + r->maps.first(r->maps.context, c), r->w);
    return clock_seconds() - begin;
}

/* Random features and residuals. */
static bool make_sample(SolutionRunner *r, const BlockSampleShape *shape, Error *error)
{
    const size_t pixels = (size_t)(SOLUTION_IMAGES * shape->side * shape->side);
    const size_t features = pixels * (size_t)shape->features;
    const int blocks = (shape->side + BLOCK_SIDE - 1) / BLOCK_SIDE;
    static const int t[SOLUTION_IMAGES];
    float *z = memory_large(features, sizeof *z, "features", error);
    float *off =
        z ? memory_large(pixels * (size_t)shape->channels, sizeof *off, "residuals", error) : NULL;
    bool done = off && block_sample_make(&r->sample, shape, 1, 0x1p30,
                                         SOLUTION_IMAGES * blocks * blocks, error);
    if (done) {
        random_normal((RandomKey){.purpose = RANDOM_NOISE}, z, features);
        random_normal((RandomKey){.purpose = RANDOM_NOISE, .sample = 1}, off,
                      pixels * (size_t)shape->channels);
        block_sample_offer(
            r->sample, 0,
            &(BlockOffer){.images = SOLUTION_IMAGES, .t = t, .features = z, .residuals = off});
        done = block_rows_make(&r->rows, r->sample, BLOCK_ROWS_ALL, 1, error);
    }
    memory_free(z);
    memory_free(off);
    return done;
}

static double square(const void *context, int t, double residual)
{
    (void)context, (void)t;
    return residual * residual + 1e-4;
}

bool solution_make(Runner **runner, const Task *task, Error *error)
{
    const Config *config = &task->config;
    SolutionRunner *r = memory_small(1, sizeof *r);
    *runner = &r->runner;
    r->runner = (Runner){.batch = SOLUTION_IMAGES, .step = solve, .floor = product};
    const BlockSampleShape shape = {.side = config->data.resolution,
                                    .features =
                                        config->model.channels * config->model.channel_mult[0],
                                    .channels = config->data.channels};
    const size_t p = 9 * (size_t)shape.features + 1;
    if (!make_sample(r, &shape, error))
        return false;
    r->maps = block_rows_maps(r->rows);
    const size_t rows = block_rows_count(r->rows);
    if (!(r->r = memory_large(rows, sizeof(double), "rows", error)) ||
        !(r->l = memory_large(rows, sizeof(double), "rows", error)) ||
        !(r->w = memory_large(p, sizeof(double), "weights", error)) ||
        !(r->fisher = memory_large(p * (p + 1) / 2, sizeof(double), "weights", error)))
        return false;
    /* Independent features of the variance 1, but at the edges. */
    for (size_t i = 0; i < p; i++)
        r->fisher[i * (i + 3) / 2] = 1;
    block_rows_values(r->rows, 0, square, NULL, r->r);
    return true;
}

void solution_free(Runner *runner)
{
    SolutionRunner *r = (SolutionRunner *)runner;
    if (!r)
        return;
    block_rows_free(r->rows);
    block_sample_free(r->sample);
    memory_free(r->r);
    memory_free(r->l);
    memory_free(r->w);
    memory_free(r->fisher);
    memory_free(r);
}
