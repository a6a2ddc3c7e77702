/* The cost of the bounds of infer nll beside the cost of the network.
 *
 * A Runner whose step adds some timesteps of a bound, and whose floor is the bare passes of network
 * and heads.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/net.h"
#include "bench/runner.h"
#include "evaluation/bound.h"
#include "model/precision.h"

#include <string.h>

/* Ten timesteps in a row, around the middle: of K = 1000 each is visited, of 200 two, of 100 one,
 * and the costs of steps t -> s are as many as on average. */
enum { IMAGES = 32, TIMESTEPS = 10, LENGTHS = 6 };
static const int lengths[LENGTHS] = {10, 25, 50, 100, 200, 1000};

typedef struct BoundRunner {
    Runner runner;
    Net net;
    Schedule schedule;
    size_t dims;
    float *x_0;         /* [IMAGES, dims] */
    double *ms_eps;     /* [N + 1] */
    float *ms_eps_diag; /* [N + 1, dims] */
    int *timesteps[LENGTHS];
    const Variance *variances
        [VARIANCE_COUNT]; /* all with bounds, without mixture, and no head but npr and sn */
    int variance_count;
    BoundCell cells[LENGTHS * VARIANCE_COUNT];
    Predictor predictor;
    BoundTask task;
    Bound *bound;
} BoundRunner;

static bool predict(void *context, const float *x_t, const int *t, int count,
                    const Prediction *prediction, Error *error)
{
    BoundRunner *r = context;
    const size_t elements = (size_t)count * r->dims, bytes = elements * sizeof *x_t;
    if (!net_run(&r->net, x_t, elements, schedule_model_time(&r->schedule, t[0]), count, error))
        return false;
    memcpy(prediction->eps, value_data(r->net.unet.eps), bytes);
    for (int head = 0; head < NET_HEADS; head++)
        memcpy(prediction->heads[head], value_data(r->net.heads[head].out), bytes);
    return true;
}

static int timestep(const BoundRunner *r, int step, int i)
{
    return r->schedule.timesteps / 2 - (step % 10 - 5) * TIMESTEPS - i;
}

static bool visit(Runner *runner, int step, Error *error)
{
    BoundRunner *r = (BoundRunner *)runner;
    bool done = true;
    for (int i = 0; done && i < TIMESTEPS; i++)
        done = bound_visit(r->bound, timestep(r, step, i), NULL, error);
    return done;
}

static double bare_passes(Runner *runner, int step)
{
    BoundRunner *r = (BoundRunner *)runner;
    Error ignored;
    const double begin = clock_seconds();
    for (int i = 0; i < TIMESTEPS; i++)
        net_run(&r->net, r->x_0, IMAGES * r->dims,
                schedule_model_time(&r->schedule, timestep(r, step, i)), IMAGES, &ignored);
    return clock_seconds() - begin;
}

/* Random numbers for images, and the same constants at every t: only the time counts. */
static bool make_data(BoundRunner *r, Error *error)
{
    const size_t entries = (size_t)r->schedule.timesteps + 1;
    r->x_0 = memory_large(IMAGES, r->dims * sizeof(float), "images", error);
    r->ms_eps = memory_large(entries, sizeof(double), "constants", error);
    r->ms_eps_diag = memory_large(entries, r->dims * sizeof(float), "constants", error);
    if (!r->x_0 || !r->ms_eps || !r->ms_eps_diag)
        return false;
    random_normal((RandomKey){.purpose = RANDOM_SAMPLE_START}, r->x_0, IMAGES * r->dims);
    for (size_t i = 0; i < IMAGES * r->dims; i++)
        r->x_0[i] *= 0.3f;
    for (size_t t = 0; t < entries; t++)
        r->ms_eps[t] = 0.97;
    for (size_t i = 0; i < entries * r->dims; i++)
        r->ms_eps_diag[i] = 0.97f;
    return true;
}

static void choose_variances(BoundRunner *r)
{
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (!variance_table[v]->needs_mixture && !variance_table[v]->no_bound &&
            !variance_table[v]->reads_jacobian && net_has_head(variance_table[v]->head))
            r->variances[r->variance_count++] = variance_table[v];
}

static bool make_cells(BoundRunner *r, Error *error)
{
    choose_variances(r);
    for (int k = 0; k < LENGTHS; k++) {
        r->timesteps[k] = memory_small((size_t)lengths[k] + 1, sizeof(int));
        if (!trajectory_make(TRAJECTORY_LINEAR, r->schedule.timesteps, lengths[k], r->timesteps[k],
                             error))
            return false;
        for (int v = 0; v < r->variance_count; v++)
            r->cells[k * r->variance_count + v] =
                (BoundCell){.variance = v, .steps = lengths[k], .timesteps = r->timesteps[k]};
    }
    return true;
}

static bool make_bound(BoundRunner *r, Work work, Error *error)
{
    r->predictor = (Predictor){.network = r,
                               .predict = predict,
                               .heads = {[NET_SN] = "sn", [NET_NPR] = "npr"},
                               .batch = IMAGES,
                               .source = {.schedule = &r->schedule,
                                          .dims = r->dims,
                                          .ms_eps = r->ms_eps,
                                          .ms_eps_diag = r->ms_eps_diag,
                                          .clip_x0 = true,
                                          .options = estimate_defaults()}};
    r->task = (BoundTask){.variances = r->variances,
                          .variance_count = r->variance_count,
                          .cells = r->cells,
                          .cell_count = work == WORK_BOUNDS ? LENGTHS * r->variance_count : 0,
                          .tables = work == WORK_DP,
                          .images = IMAGES,
                          .x_0 = r->x_0};
    return bound_make(&r->bound, &r->predictor, &r->task, error);
}

bool bounds_make(Runner **runner, const Task *task, Error *error)
{
    const Config *config = &task->config;
    const size_t side = (size_t)config->data.resolution;
    BoundRunner *r = memory_small(1, sizeof *r);
    DType type;
    *runner = &r->runner;
    r->runner = (Runner){.batch = IMAGES * TIMESTEPS, .step = visit, .floor = bare_passes};
    r->dims = side * side * (size_t)config->data.channels;
    if (config->diffusion.timesteps < 1000)
        return error_input(error, "diffusion.timesteps: bounds are timed with 1000 or more");
    return precision_choose(config->precision, &type, error) &&
           config_make_schedule(&r->schedule, config, error) &&
           net_make(&r->net, config, NULL, type, IMAGES, error) && make_data(r, error) &&
           make_cells(r, error) && make_bound(r, task->work, error);
}

void bounds_free(Runner *runner)
{
    BoundRunner *r = (BoundRunner *)runner;
    if (!r)
        return;
    bound_free(r->bound);
    net_free(&r->net);
    schedule_free(&r->schedule);
    memory_free(r->x_0);
    memory_free(r->ms_eps);
    memory_free(r->ms_eps_diag);
    for (int k = 0; k < LENGTHS; k++)
        memory_free(r->timesteps[k]);
    memory_free(r);
}
