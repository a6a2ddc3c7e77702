/* Tests of the learned variance and of its training (Nichol and Dhariwal 2021): range, second output,
 * loss and gradients are those of an independent implementation in double (tests/golden), and the
 * timesteps that losses choose have the distribution that they should have. */
#include "tests/golden.h"
#include "tests/golden_network.h"

#include "train/time_sampling.h"
#include "variance/learned.h"
#include "variance/objective.h"

#include "base/random.h"

static Error error;

/* -- The golden network with a second output ----------------------------------------------------- */

enum { IMAGES = 4 };

typedef struct Hybrid {
    const char *file;
    Config config;
    Schedule schedule;
    ParamSet params;
    Graph *graph;
    UNet net;
    size_t dims;
    int t[IMAGES];
    float *weights, *gradients, *x_0, *eps;
} Hybrid;

static float *images(const char *file, const char *name, int channels, int side)
{
    float *values = golden_floats(file, name, NULL, NULL);
    golden_to_nhwc(values, IMAGES, (size_t)channels, (size_t)side, (size_t)side);
    return values;
}

/* The trunk's weights, and v/weight and v/bias. */
static void read_weights(Hybrid *h, const char *checkpoint_file)
{
    Checkpoint *checkpoint = NULL;
    ParamSet trunk;
    params_init(&trunk);
    Config config = h->config;
    config.model.learned = LEARNED_NONE;
    Graph *graph = graph_new(&trunk, (GraphOptions){.batch = 1});
    unet_build(graph, &config);
    graph_free(graph);
    assert_ok(checkpoint_open(&checkpoint, checkpoint_file, &error));
    h->weights = memory_small(h->params.size, sizeof *h->weights);
    h->gradients = memory_small(h->params.size, sizeof *h->gradients);
    float *values = golden_weights(checkpoint, "trunk_ema", &trunk);
    for (int i = 0; i < trunk.count; i++) {
        const Param *from = &trunk.items[i], *to = &h->params.items[i];
        ck_assert_str_eq(from->name, to->name);
        memcpy(h->weights + to->offset, values + from->offset, from->count * sizeof *values);
    }
    static const char *const names[] = {"lhybrid/v/weight", "lhybrid/v/bias"};
    ck_assert_int_eq(h->params.count, trunk.count + 2);
    for (int i = 0; i < 2; i++) {
        const Param *to = &h->params.items[trunk.count + i];
        float *v = golden_floats(h->file, names[i], NULL, NULL);
        memcpy(h->weights + to->offset, v, to->count * sizeof *v);
        free(v);
    }
    memory_free(values);
    params_free(&trunk);
    checkpoint_close(checkpoint);
}

static void read_batch(Hybrid *h)
{
    const int channels = h->config.data.channels, side = h->config.data.resolution;
    int64_t *t = golden_ints(h->file, "lhybrid/t", NULL, NULL);
    uint8_t *levels = golden_bytes(h->file, "lhybrid/x0", NULL, NULL);
    h->eps = images(h->file, "lhybrid/eps", channels, side);
    h->x_0 = memory_small(IMAGES * h->dims, sizeof *h->x_0);
    double times[IMAGES];
    float *x = value_data(h->net.x);
    for (size_t n = 0; n < IMAGES; n++) {
        h->t[n] = (int)t[n];
        times[n] = schedule_model_time(&h->schedule, h->t[n]);
        for (size_t i = n * h->dims; i < (n + 1) * h->dims; i++) {
            const double x_0 = 2.0 * levels[i] / 255 - 1;
            h->x_0[i] = (float)x_0;
            x[i] = (float)(sqrt(h->schedule.alpha_bar[t[n]]) * x_0 +
                           sqrt(h->schedule.beta_bar[t[n]]) * (double)h->eps[i]);
        }
    }
    unet_embed_times(times, IMAGES, h->net.embedding, value_data(h->net.time));
    free(levels);
    free(t);
}

static void hybrid_make(Hybrid *h, const char *checkpoint_file, const char *file)
{
    Checkpoint *checkpoint = NULL;
    *h = (Hybrid){.file = file};
    assert_ok(checkpoint_open(&checkpoint, checkpoint_file, &error));
    h->config = *checkpoint_config(checkpoint);
    checkpoint_close(checkpoint);
    h->config.model.learned = LEARNED_RANGE;
    h->dims =
        (size_t)(h->config.data.resolution * h->config.data.resolution * h->config.data.channels);
    assert_ok(config_make_schedule(&h->schedule, &h->config, &error));
    params_init(&h->params);
    h->graph = graph_new(&h->params, (GraphOptions){.batch = IMAGES, .weight_gradients = true});
    h->net = unet_build(h->graph, &h->config);
    graph_seed(h->graph, h->net.eps);
    graph_seed(h->graph, h->net.v);
    assert_ok(graph_finish(h->graph, &error));
    read_weights(h, checkpoint_file);
    graph_load_weights(h->graph, h->weights);
    read_batch(h);
    assert_ok(graph_forward(h->graph, 0, &error));
}

static void hybrid_free(Hybrid *h)
{
    graph_free(h->graph);
    params_free(&h->params);
    schedule_free(&h->schedule);
    memory_free(h->weights);
    memory_free(h->gradients);
    memory_free(h->x_0);
    free(h->eps);
}

static void check(const char *file, const char *name, const float *got, const float *want,
                  size_t count)
{
    const double tolerance = golden_tolerance(file, name);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs((double)got[i] - (double)want[i]) <= tolerance,
                      "%s: %s[%zu]: expected %g, got %g, tolerance %g", file, name, i,
                      (double)want[i], (double)got[i], tolerance);
}

static void check_parts(Hybrid *h)
{
    const int channels = h->config.data.channels, side = h->config.data.resolution;
    float *v = images(h->file, "lhybrid/v_out", channels, side);
    float *log_variance = images(h->file, "lhybrid/log_var", channels, side);
    float *got = memory_small(IMAGES * h->dims, sizeof *got);
    check(h->file, "lhybrid/v_out", value_data(h->net.v), v, IMAGES * h->dims);
    for (size_t i = 0; i < IMAGES * h->dims; i++) {
        const int t = h->t[i / h->dims];
        const LearnedRange range = learned_range(&h->schedule, t - 1, t);
        got[i] = (float)learned_log_variance(&range, (double)v[i]);
    }
    check(h->file, "lhybrid/log_var", got, log_variance, IMAGES * h->dims);
    memory_free(got);
    free(log_variance);
    free(v);
}

/* Theirs are means over the elements of an image, ours are sums. */
static void check_losses(Hybrid *h)
{
    double eps_loss[IMAGES], bound[IMAGES];
    const double weight = golden_attr(h->file, "lhybrid", "vb_weight");
    ck_assert_double_eq_tol(weight, 0.001 * h->config.diffusion.timesteps, 1e-12);
    float *eps_hat = value_data(h->net.eps);
    const ObjectiveBatch batch = {.schedule = &h->schedule,
                                  .images = IMAGES,
                                  .dims = h->dims,
                                  .t = h->t,
                                  .eps = h->eps,
                                  .eps_hat = eps_hat,
                                  .x_0 = h->x_0};
    const double loss =
        objective_loss(&objective_eps, &batch, eps_hat, eps_loss, value_gradient(h->net.eps)) +
        weight * objective_loss(&objective_vlb, &batch, value_data(h->net.v), bound,
                                value_gradient(h->net.v));
    float got[2 * IMAGES + 1], total = (float)(loss / (double)h->dims);
    for (int i = 0; i < IMAGES; i++) {
        got[i] = (float)(bound[i] / (double)h->dims);
        got[IMAGES + i] = (float)(eps_loss[i] / (double)h->dims);
    }
    float *vb = golden_floats(h->file, "lhybrid/vb", NULL, NULL);
    float *mse = golden_floats(h->file, "lhybrid/mse", NULL, NULL);
    float *want = golden_floats(h->file, "lhybrid/loss", NULL, NULL);
    check(h->file, "lhybrid/vb", got, vb, IMAGES);
    check(h->file, "lhybrid/mse", got + IMAGES, mse, IMAGES);
    check(h->file, "lhybrid/loss", &total, want, 1);
    for (size_t i = 0; i < IMAGES * h->dims; i++)
        value_gradient(h->net.v)[i] *= (float)weight;
    free(vb);
    free(mse);
    free(want);
}

static void check_gradient(Hybrid *h, const char *path, const char *name)
{
    for (int i = 0; i < h->params.count; i++) {
        const Param *param = &h->params.items[i];
        if (strcmp(param->name, name) != 0)
            continue;
        float *want = golden_floats(h->file, path, NULL, NULL);
        float *got = h->gradients + param->offset;
        for (size_t k = 0; k < param->count; k++)
            got[k] /= (float)h->dims;
        check(h->file, path, got, want, param->count);
        free(want);
        return;
    }
    ck_abort_msg("%s: no such tensor", name);
}

static void check_gradients(Hybrid *h)
{
    static const char *const names[] = {"conv_in.weight",      "conv_out.bias",
                                        "conv_out.weight",     "down.0.block.0.conv1.bias",
                                        "mid.attn_1.v.weight", "mid.block_1.conv1.bias",
                                        "norm_out.bias",       "norm_out.weight",
                                        "temb.dense.1.bias"};
    assert_ok(graph_backward(h->graph, h->gradients, &error));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "lhybrid/detached/trunk/%s", names[i]);
        check_gradient(h, path, names[i]);
    }
    check_gradient(h, "lhybrid/detached/v/weight", "conv_out_v.weight");
    check_gradient(h, "lhybrid/detached/v/bias", "conv_out_v.bias");
}

START_TEST(losses_and_gradients_are_golden)
{
    static const char *const files[][2] = {
        {"tests/golden/golden_a.h5", "tests/golden/golden_a_variances.h5"},
        {"tests/golden/golden_b.h5", "tests/golden/golden_b_variances.h5"}};
    for (int i = 0; i < 2; i++) {
        Hybrid h;
        hybrid_make(&h, files[i][0], files[i][1]);
        check_parts(&h);
        check_losses(&h);
        check_gradients(&h);
        hybrid_free(&h);
    }
}
END_TEST

/* -- Skipped steps -------------------------------------------------------------------------------- */

/* v = 1 is beta_{t|s}, v = -1 is beta_tilde_{s|t}, v = 0 is their geometric mean. */
START_TEST(a_step_of_any_length_lies_between_both_fixed_variances)
{
    const float v[3] = {1, -1, 0};
    const int steps[][2] = {{1, 2}, {100, 101}, {100, 500}, {1, 1000}};
    Schedule schedule;
    assert_ok(schedule_make(&schedule, SCHEDULE_LINEAR, 1000, &error));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const int s = steps[i][0], t = steps[i][1];
        const VarianceInput input = {.schedule = &schedule, .t = t, .dims = 3, .head = v};
        const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
        const ReverseStep step = reverse_step(&schedule, &options, s, t);
        const double beta = schedule_skip_beta(&schedule, s, t);
        const double tilde = schedule_beta_tilde(&schedule, s, t);
        double variance[3];
        variance_learned.step_variance(&input, &step, variance);
        ck_assert_double_eq_tol(variance[0] / beta, 1, 1e-12);
        ck_assert_double_eq_tol(variance[1] / tilde, 1, 1e-12);
        ck_assert_double_eq_tol(variance[2] / sqrt(beta * tilde), 1, 1e-12);
    }
    const LearnedRange last = learned_range(&schedule, 0, 1);
    ck_assert_double_eq_tol(exp(last.low) / schedule_beta_tilde(&schedule, 1, 2), 1, 1e-12);
    const VarianceInput input = {.schedule = &schedule, .t = 7, .dims = 3, .head = v};
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const ReverseStep still = reverse_step(&schedule, &options, 7, 7);
    double variance[3];
    variance_learned.step_variance(&input, &still, variance);
    ck_assert(variance[0] == 0 && variance[1] == 0 && variance[2] == 0);
    schedule_free(&schedule);
}
END_TEST

/* -- Timesteps ------------------------------------------------------------------------------------ */

START_TEST(timesteps_with_large_losses_are_drawn_more_often_and_count_less)
{
    enum { N = 20, DRAWS = 200000 };
    TimeSampler sampler;
    int counts[N + 1] = {0};
    double mean = 0;
    assert_ok(time_sampler_make(&sampler, N, &error));
    for (int i = 0; i < TIME_LOSSES + 3; i++)
        for (int t = 1; t <= N; t++) {
            const double loss =
                i < 3 ? 1000 : (i % 2 ? 1.4 : 0.2) * t; /* the first three are forgotten */
            time_sampler_prepare(&sampler);
            ck_assert(i >= TIME_LOSSES || !sampler.cumulative);
            ck_assert(i >= TIME_LOSSES || time_sampler_weight(&sampler, t) == 1);
            time_sampler_add(&sampler, &t, &loss, 1);
        }
    const double nan = NAN;
    const int one = 1;
    time_sampler_add(&sampler, &one, &nan, 1);
    time_sampler_prepare(&sampler);
    ck_assert_ptr_nonnull(sampler.cumulative);
    ck_assert_double_eq_tol(sampler.cumulative[N], 1, 1e-12);
    for (int t = 1; t <= N; t++) { /* sqrt(mean L^2) is t */
        const double p = 0.999 * t / (N * (N + 1) / 2.0) + 0.001 / N;
        ck_assert_double_eq_tol(sampler.cumulative[t] - sampler.cumulative[t - 1], p, 1e-12);
        ck_assert_double_eq_tol(time_sampler_weight(&sampler, t), 1 / (N * p), 1e-9);
    }
    for (uint32_t i = 0; i < DRAWS; i++) {
        const double u = random_uniform((RandomKey){.seed = 3, .sample = i}, 0);
        const int t = time_sampler_find(&sampler, u);
        counts[t]++;
        mean += time_sampler_weight(&sampler, t) * t / DRAWS;
    }
    ck_assert_double_eq_tol(mean, (N + 1) / 2.0, 0.05); /* as uniform timesteps would give */
    ck_assert_double_eq_tol((double)counts[N] / DRAWS, 0.999 * 2 / (N + 1), 0.005);
    ck_assert_int_eq(time_sampler_find(&sampler, 0), 1);
    ck_assert_int_eq(time_sampler_find(&sampler, 1 - 1e-17), N);
    time_sampler_free(&sampler);
}
END_TEST

SUITE_MAIN("hybrid", losses_and_gradients_are_golden,
           a_step_of_any_length_lies_between_both_fixed_variances,
           timesteps_with_large_losses_are_drawn_more_often_and_count_less)
