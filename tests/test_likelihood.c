/* The bound against an independent implementation, with the network and with closed forms. */
#include "suite.h"

#include "base/memory.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "diffusion/trajectory.h"
#include "golden.h"
#include "io/checkpoint.h"
#include "model/head.h"
#include "model/unet.h"

enum { STEPS = 10 };

/* A golden checkpoint's network with one head, or none. */
typedef struct Net {
    Config config;
    ParamSet params, head_params;
    Graph *graph, *head_graph;
    UNet unet;
    Head head;
    float *weights, *head_weights;
    double *ms_eps; /* NULL where the file has none */
    Schedule schedule;
} Net;

static float *weights_of(Checkpoint *checkpoint, const char *group, const ParamSet *set)
{
    Error error = {0};
    float *weights = memory_small(set->size, sizeof *weights);
    must(checkpoint_read_params(checkpoint, group, set, weights, &error), &error);
    return weights;
}

static void net_make(Net *net, const char *path, const char *head, int batch)
{
    Error error = {0};
    Checkpoint *checkpoint = NULL;
    char group[64];
    *net = (Net){0};
    must(checkpoint_open(&checkpoint, path, &error), &error);
    net->config = *checkpoint_config(checkpoint);
    must(schedule_make(&net->schedule, net->config.diffusion.schedule,
                       net->config.diffusion.timesteps, &error),
         &error);
    net->graph = graph_new(&net->params, (GraphOptions){.batch = batch});
    net->unet = unet_build(net->graph, &net->config);
    net->weights = weights_of(checkpoint, "trunk_ema", &net->params);
    must(graph_finish(net->graph, &error), &error);
    must(graph_load_weights(net->graph, net->weights, &error), &error);
    if (head) {
        net->head_graph = graph_new(&net->head_params, (GraphOptions){.batch = batch});
        net->head = head_build(net->head_graph, &net->config, net->unet.features, net->unet.temb);
        snprintf(group, sizeof group, "heads_ema/%s", head);
        net->head_weights = weights_of(checkpoint, group, &net->head_params);
        must(graph_finish(net->head_graph, &error), &error);
        must(graph_load_weights(net->head_graph, net->head_weights, &error), &error);
    }
    if (checkpoint_has(checkpoint, "analytic/ms_eps")) {
        int count = net->schedule.timesteps + 1;
        net->ms_eps = memory_small((size_t)count, sizeof *net->ms_eps);
        must(checkpoint_read_doubles(checkpoint, "analytic/ms_eps", count, net->ms_eps, &error),
             &error);
    }
    checkpoint_close(checkpoint);
}

static void net_free(Net *net)
{
    graph_free(net->head_graph);
    graph_free(net->graph);
    params_free(&net->params);
    params_free(&net->head_params);
    schedule_free(&net->schedule);
    memory_free(net->weights);
    memory_free(net->head_weights);
    memory_free(net->ms_eps);
}

/* Images, noise and the network's view of them at one timestep; each [n, dims] in NHWC. */
typedef struct Point {
    size_t n, dims;
    float *x_0, *x_t, *cov;
} Point;

/* x_t from the golden noise of `at` [n, C, H, W], and both networks there. */
static void evaluate(Net *net, Point *p, const float *noise, int t)
{
    Error error = {0};
    int times[8];
    double model_times[8];
    const size_t side = (size_t)net->config.data.resolution;
    float *eps = memory_small(p->n * p->dims, sizeof *eps);
    memcpy(eps, noise, p->n * p->dims * sizeof *eps);
    golden_to_nhwc(eps, p->n, (size_t)net->config.data.channels, side, side);
    for (size_t i = 0; i < p->n; i++) {
        times[i] = t;
        model_times[i] = schedule_model_time(&net->schedule, t);
    }
    forward_noise(&net->schedule, times, p->x_0, eps, p->n, p->dims, p->x_t);
    memcpy(value_data(net->unet.x), p->x_t, p->n * p->dims * sizeof *eps);
    unet_embed_times(model_times, (int)p->n, net->config.model.channels,
                     value_data(net->unet.time));
    must(graph_forward(net->graph, 0, &error), &error);
    if (net->head_graph)
        must(graph_forward(net->head_graph, 0, &error), &error);
    memory_free(eps);
}

/* The term of image i at the step t -> s, in bits per dimension. */
static double term_of(const Net *net, VarianceKind kind, const Point *p, size_t i, int s, int t)
{
    const size_t at = i * p->dims;
    const float *x_0 = p->x_0 + at, *x_t = p->x_t + at, *eps = value_data(net->unet.eps) + at;
    const float *out = net->head_graph ? value_data(net->head.out) + at : NULL;
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = kind;
    options.clip_pixel = 0;
    const ReverseStep step = reverse_step(&net->schedule, &options, s, t);
    double nats;
    if (s == 0) {
        nats = likelihood_decoder(&step, likelihood_decoder_variance(&net->schedule), x_0, x_t, eps,
                                  p->dims);
    } else {
        if (!variance_is_fixed(kind))
            variance_cov_x0(kind, &net->schedule, t, eps, out, net->ms_eps ? net->ms_eps[t] : 0,
                            true, p->dims, p->cov);
        nats =
            likelihood_step(&step, x_0, x_t, eps, variance_is_fixed(kind) ? NULL : p->cov, p->dims);
    }
    return nats / ((double)p->dims * log(2));
}

static void check_case(const char *checkpoint, const char *expected, VarianceKind kind)
{
    Net net;
    char path[128];
    int64_t shape[GOLDEN_MAX_RANK];
    int rank;
    const char *name = variance_name(kind);
    snprintf(path, sizeof path, "nll/%s/eps", name);
    float *eps = golden_floats(expected, path, &rank, shape);
    ck_assert_int_eq(shape[0], STEPS);
    const size_t n = (size_t)shape[1], dims = (size_t)(shape[2] * shape[3] * shape[4]);
    net_make(&net, checkpoint, variance_head(kind), (int)n);
    snprintf(path, sizeof path, "nll/%s/terms_bits_per_dim_each", name);
    double *want = golden_doubles(expected, path, NULL, NULL);

    Point p = {.n = n, .dims = dims};
    double *pixels = golden_doubles(expected, "nll/x0", NULL, NULL);
    float **arrays[] = {&p.x_0, &p.x_t, &p.cov};
    for (int k = 0; k < 3; k++)
        *arrays[k] = memory_small(n * dims, sizeof(float));
    for (size_t i = 0; i < n * dims; i++) /* uint8 are pictures, NHWC already */
        p.x_0[i] = (float)(2 * pixels[i] / 255 - 1);

    int timesteps[STEPS + 1];
    Error error = {0};
    must(trajectory_make(TRAJECTORY_LINEAR, net.schedule.timesteps, STEPS, timesteps, &error),
         &error);
    for (int k = 0; k < STEPS; k++) { /* eps is in the order of sampling, terms the other way */
        const int t = timesteps[STEPS - k], s = timesteps[STEPS - k - 1];
        evaluate(&net, &p, eps + (size_t)k * n * dims, t);
        for (size_t i = 0; i < n; i++) {
            double got = term_of(&net, kind, &p, i, s, t);
            double term = want[i * (STEPS + 1) + (size_t)(STEPS - 1 - k)];
            ck_assert_msg(fabs(got - term) <= 1e-4 * fabs(term) + 1e-6,
                          "%s %s: image %zu, step %d -> %d: %.9g, expected %.9g", checkpoint, name,
                          i, t, s, got, term);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double prior =
            likelihood_prior(&net.schedule, net.schedule.timesteps, p.x_0 + i * dims, dims) /
            ((double)dims * log(2));
        ck_assert_double_eq_tol(prior, want[i * (STEPS + 1) + STEPS], 1e-6 * prior + 1e-12);
    }
    for (int k = 0; k < 3; k++)
        memory_free(*arrays[k]);
    free(pixels);
    free(want);
    free(eps);
    net_free(&net);
}

START_TEST(terms_are_golden)
{
    const VarianceKind kinds[] = {VARIANCE_BETA, VARIANCE_BETA_TILDE, VARIANCE_NPR, VARIANCE_SN,
                                  VARIANCE_ANALYTIC};
    for (int k = 0; k < 5; k++)
        check_case("tests/golden/golden_b.h5", "tests/golden/golden_b_expected.h5", kinds[k]);
    for (int k = 0; k < 4; k++) /* the other file has no /analytic */
        check_case("tests/golden/golden_a.h5", "tests/golden/golden_a_expected.h5", kinds[k]);
}
END_TEST

/* Where the model knows x_0 and has the true variance, a step costs nothing. */
START_TEST(a_perfect_step_is_free)
{
    Schedule schedule;
    Error error = {0};
    must(schedule_make(&schedule, SCHEDULE_LINEAR, 1000, &error), &error);
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const float x_0[] = {0.3f, -0.9f, 0.0f}, eps[] = {0.7f, -1.3f, 2.0f};
    const int pairs[][2] = {{1, 2}, {1, 112}, {400, 500}, {999, 1000}};
    for (int k = 0; k < 4; k++) {
        const int s = pairs[k][0], t = pairs[k][1];
        const ReverseStep step = reverse_step(&schedule, &options, s, t);
        float x_t[3];
        forward_noise(&schedule, &t, x_0, eps, 1, 3, x_t);
        ck_assert_double_eq_tol(likelihood_step(&step, x_0, x_t, eps, NULL, 3), 0, 1e-4);
    }
    const ReverseStep still = reverse_step(&schedule, &options, 500, 500);
    ck_assert(likelihood_step(&still, x_0, eps, eps, NULL, 3) == 0);
    schedule_free(&schedule);
}
END_TEST

/* The 256 levels are all there is: their probabilities sum to 1, wherever the mean is. */
START_TEST(levels_share_one_probability)
{
    const ReverseStep step = {.s = 0, .t = 1, .x0_xt = 1, .mean_x0 = 1};
    const float eps = 0;
    for (double sigma = 0.001; sigma < 3; sigma *= 3)
        for (float mean = -1.0f; mean <= 1.0f; mean += 0.17f) {
            double sum = 0;
            for (int level = 0; level < 256; level++) {
                float x_0 = 2 * (float)level / 255 - 1;
                sum += exp(-likelihood_decoder(&step, sigma * sigma, &x_0, &mean, &eps, 1));
            }
            ck_assert_double_eq_tol(sum, 1, 256 * 1e-12 + 1e-5); /* a level is rounded to float */
        }
}
END_TEST

SUITE_MAIN("likelihood", terms_are_golden, a_perfect_step_is_free, levels_share_one_probability)
