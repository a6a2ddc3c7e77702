/* Tests of the network against an independent implementation: outputs, losses and gradients of the
 * two golden checkpoints. These cover simple and complex heads, linear and cosine schedules,
 * attention on one and on all levels, 1 and 3 image channels. */
#include "tests/suite.h"

#include "base/memory.h"
#include "config/config.h"
#include "diffusion/forward.h"
#include "engine/primitive.h"
#include "model/head.h"
#include "model/unet.h"
#include "tests/golden.h"
#include "variance/objective.h"

typedef struct Golden {
    const char *checkpoint, *expected, *config;
} Golden;

static const Golden goldens[] = {
    {"tests/golden/golden_a.h5", "tests/golden/golden_a_expected.h5",
     "data: {channels: 3, resolution: 16}\n"
     "diffusion: {schedule: linear, timesteps: 1000}\n"
     "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [8], dropout: 0.0, "
     "norm_groups: 8}\n"
     "head: {type: simple}\n"},
    {"tests/golden/golden_b.h5", "tests/golden/golden_b_expected.h5",
     "data: {channels: 1, resolution: 8}\n"
     "diffusion: {schedule: cosine, timesteps: 200}\n"
     "model: {channels: 32, channel_mult: [1, 1], res_blocks: 2, attention: [4, 8], dropout: 0.0, "
     "norm_groups: 16}\n"
     "head: {type: complex}\n"},
};
enum { GOLDENS = sizeof goldens / sizeof goldens[0] };

static Config config_of(const Golden *golden)
{
    Config config;
    Error error = {0};
    must(config_parse(&config, golden->config, "golden", NULL, 0, &error), &error);
    return config;
}

/* The tensors of `set` from /<group> of a golden file. */
static float *read_params(const ParamSet *set, const char *file, const char *group)
{
    float *values = memory_small(set->size, sizeof *values);
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        char path[256];
        snprintf(path, sizeof path, "%s/%s", group, param->name);
        int64_t dims[GOLDEN_MAX_RANK];
        int rank;
        float *tensor = golden_floats(file, path, &rank, dims);
        ck_assert_int_eq(rank, param->rank);
        for (int d = 0; d < rank; d++)
            ck_assert_int_eq(dims[d], param->shape[d]);
        memcpy(values + param->offset, tensor, param->count * sizeof *values);
        free(tensor);
    }
    return values;
}

static float *read_images(const char *file, const char *path, const Value *like)
{
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    float *values = golden_floats(file, path, &rank, dims);
    ck_assert_int_eq(rank, 4);
    ck_assert_uint_eq(golden_count(rank, dims), value_count(like));
    golden_to_nhwc(values, (size_t)dims[0], (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    return values;
}

/* The tolerance is that of golden_tolerance (golden.h): 1e-4 of the largest magnitude, or ten times
 * the error of another float32 computation. */
static void ck_close(const char *what, const float *got, const float *want, size_t count,
                     double f32_error)
{
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        largest = larger(largest, fabs((double)want[i]));
        worst = larger(worst, fabs((double)got[i] - want[i]));
    }
    double tolerance = fmax(1e-4 * largest, 10 * f32_error);
    ck_assert_msg(worst <= tolerance, "%s: off by %g, at most %g allowed (largest %g)", what, worst,
                  tolerance, largest);
}

static void ck_value(const char *what, const Value *got, const Golden *golden, const char *path)
{
    float *want = read_images(golden->expected, path, got);
    ck_close(what, value_data(got), want, value_count(got), 0);
    free(want);
}

/* A trunk graph and one graph per head on top of it, as stage 2 has them. */
typedef struct Net {
    Config config;
    ParamSet trunk_params, head_params;
    Graph *trunk_graph, *head_graph[2];
    UNet trunk;
    Head head[2]; /* sn, npr */
    float *trunk_weights, *head_weights[2];
} Net;

static const char *const head_names[] = {"sn", "npr"};

static void build_in(DType type, bool direct, Net *net, const Golden *golden, int batch,
                     bool gradients, const char *suffix)
{
    Error error = {0};
    *net = (Net){.config = config_of(golden)};
    GraphOptions options = {.batch = batch,
                            .type = type,
                            .direct = direct,
                            .weight_gradients = gradients,
                            .input_gradients = gradients};
    net->trunk_graph = graph_new(&net->trunk_params, options);
    net->trunk = unet_build(net->trunk_graph, &net->config);
    if (gradients)
        graph_seed(net->trunk_graph, net->trunk.eps);
    must(graph_finish(net->trunk_graph, &error), &error);

    char group[64];
    snprintf(group, sizeof group, "trunk%s", suffix);
    net->trunk_weights = read_params(&net->trunk_params, golden->checkpoint, group);
    graph_load_weights(net->trunk_graph, net->trunk_weights);
    for (int k = 0; k < 2; k++) {
        net->head_graph[k] = graph_new(&net->head_params, options);
        net->head[k] =
            head_build(net->head_graph[k], &net->config, 1, net->trunk.features, net->trunk.temb);
        if (gradients)
            graph_seed(net->head_graph[k], net->head[k].out);
        must(graph_finish(net->head_graph[k], &error), &error);
        snprintf(group, sizeof group, "heads%s/%s", suffix, head_names[k]);
        net->head_weights[k] = read_params(&net->head_params, golden->checkpoint, group);
        graph_load_weights(net->head_graph[k], net->head_weights[k]);
    }
}

static void build(Net *net, const Golden *golden, int batch, bool gradients, const char *suffix)
{
    build_in(DTYPE_F32, false, net, golden, batch, gradients, suffix);
}

static void run_forward(Net *net, const float *x, const double *model_time)
{
    Error error = {0};
    memcpy(value_data(net->trunk.x), x, value_count(net->trunk.x) * sizeof(float));
    int batch = net->trunk_graph
                    ? (int)(value_count(net->trunk.time) / (size_t)value_channels(net->trunk.time))
                    : 0;
    unet_embed_times(model_time, batch, net->trunk.embedding, value_data(net->trunk.time));
    must(graph_forward(net->trunk_graph, 0, &error), &error);
    for (int k = 0; k < 2; k++)
        must(graph_forward(net->head_graph[k], 0, &error), &error);
}

static void release(Net *net)
{
    graph_free(net->trunk_graph);
    memory_free(net->trunk_weights);
    for (int k = 0; k < 2; k++) {
        graph_free(net->head_graph[k]);
        memory_free(net->head_weights[k]);
    }
    params_free(&net->trunk_params);
    params_free(&net->head_params);
}

START_TEST(predictions_are_golden)
{
    for (int g = 0; g < GOLDENS; g++) {
        const Golden *golden = &goldens[g];
        Net net;
        build(&net, golden, 5, false, "_ema");
        float *x = read_images(golden->expected, "predict/x", net.trunk.x);
        double *time = golden_doubles(golden->expected, "predict/model_time", NULL, NULL);
        run_forward(&net, x, time);

        float *temb = golden_floats(golden->expected, "predict/temb", NULL, NULL);
        ck_close("temb", value_data(net.trunk.temb), temb, value_count(net.trunk.temb), 0);
        ck_value("features", net.trunk.features, golden, "predict/features");
        ck_value("eps", net.trunk.eps, golden, "predict/eps");
        ck_value("sn", net.head[0].out, golden, "predict/sn");
        ck_value("npr", net.head[1].out, golden, "predict/npr");
        free(temb);
        free(time);
        free(x);
        release(&net);
    }
}
END_TEST

/* |got - want| / |want|, in the Euclidean norm. */
static double off_by(const float *got, const float *want, size_t count)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        off += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        all += (double)want[i] * want[i];
    }
    return sqrt(off / all);
}

/* golden_b has convolutions of 32 channels, which Winograd's algorithm computes: in float32 no output
 * is further than 1e-5 of the largest from float64, by it or directly. */
START_TEST(predictions_are_within_1e_5_of_float64)
{
    for (int k = 0; k < 2 * GOLDENS; k++) {
        const Golden *golden = &goldens[k / 2];
        const bool direct = k % 2;
        static const char *const paths[] = {"predict/eps", "predict/sn", "predict/npr"};
        Net net;
        build_in(DTYPE_F32, direct, &net, golden, 5, false, "_ema");
        const Value *outputs[] = {net.trunk.eps, net.head[0].out, net.head[1].out};
        float *x = read_images(golden->expected, "predict/x", net.trunk.x);
        double *time = golden_doubles(golden->expected, "predict/model_time", NULL, NULL);
        run_forward(&net, x, time);
        for (int i = 0; i < 3; i++) {
            float *want = read_images(golden->expected, paths[i], outputs[i]);
            const float *got = value_data(outputs[i]);
            double largest = 0, worst = 0;
            for (size_t j = 0; j < value_count(outputs[i]); j++) {
                largest = larger(largest, fabs((double)want[j]));
                worst = larger(worst, fabs((double)got[j] - want[j]));
            }
            ck_assert_msg(worst <= 1e-5 * largest, "%s%s: off by %g of %g", paths[i],
                          direct ? ", direct" : "", worst, largest);
            free(want);
        }
        free(time);
        free(x);
        release(&net);
    }
}
END_TEST

/* In bfloat16 every layer rounds to 2^-9, and the network is some thirty layers deep. */
START_TEST(predictions_in_bfloat16_are_near)
{
    if (primitive_support(DTYPE_BF16) == SUPPORT_NONE) {
        suite_skips("bf16, which is AVX-512");
        return;
    }
    for (int g = 0; g < GOLDENS; g++) {
        const Golden *golden = &goldens[g];
        Net net;
        build_in(DTYPE_BF16, false, &net, golden, 5, false, "_ema");
        float *x = read_images(golden->expected, "predict/x", net.trunk.x);
        double *time = golden_doubles(golden->expected, "predict/model_time", NULL, NULL);
        run_forward(&net, x, time);
        const struct {
            const char *path;
            const Value *value;
        } outputs[] = {{"predict/eps", net.trunk.eps},
                       {"predict/sn", net.head[0].out},
                       {"predict/npr", net.head[1].out}};
        for (int k = 0; k < 3; k++) {
            float *want = read_images(golden->expected, outputs[k].path, outputs[k].value);
            double off = off_by(value_data(outputs[k].value), want, value_count(outputs[k].value));
            ck_assert_msg(off < 2e-2, "%s: off by %g", outputs[k].path, off);
            ck_assert_msg(off > 1e-5, "%s: this is float32 (off by %g)", outputs[k].path, off);
            free(want);
        }
        free(time);
        free(x);
        release(&net);
    }
}
END_TEST

/* The tolerance of a gradient is relative to the largest magnitude of its kind, weights or biases. */
static void ck_gradients(const char *what, const ParamSet *set, const float *got, const float *want)
{
    static const char *const kinds[] = {".weight", ".bias"};
    for (int kind = 0; kind < 2; kind++) {
        double largest = 0;
        for (int i = 0; i < set->count; i++)
            if (strstr(set->items[i].name, kinds[kind]))
                for (size_t j = 0; j < set->items[i].count; j++)
                    largest = larger(largest, fabs((double)want[set->items[i].offset + j]));
        for (int i = 0; i < set->count; i++) {
            const Param *param = &set->items[i];
            if (!strstr(param->name, kinds[kind]))
                continue;
            for (size_t j = 0; j < param->count; j++) {
                double difference = fabs((double)got[param->offset + j] - want[param->offset + j]);
                ck_assert_msg(difference <= 1e-4 * largest,
                              "%s: gradient of %s[%zu]: off by %g, "
                              "largest of its kind %g",
                              what, param->name, j, difference, largest);
            }
        }
    }
}

/* Losses and their gradients; `loss` 0: stage 1, else the head loss - 1. */
static void ck_loss(Net *net, const Golden *golden, const char *name, double got)
{
    char path[64];
    snprintf(path, sizeof path, "grad/%s_loss", name);
    double *want = golden_doubles(golden->expected, path, NULL, NULL);
    ck_assert_msg(fabs(got - *want) <= 1e-5 * *want, "%s: %.9g, expected %.9g", path, got, *want);
    free(want);
    (void)net;
}

START_TEST(losses_and_gradients_are_golden)
{
    for (int g = 0; g < GOLDENS; g++) {
        const Golden *golden = &goldens[g];
        Error error = {0};
        Net net;
        build(&net, golden, 3, true, "");
        const size_t count = value_count(net.trunk.x), dims = count / 3;
        Schedule schedule;
        must(schedule_make(&schedule, net.config.diffusion.schedule, net.config.diffusion.timesteps,
                           &error),
             &error);
        float *x0 = read_images(golden->expected, "grad/x0", net.trunk.x);
        float *eps = read_images(golden->expected, "grad/eps", net.trunk.x);
        int64_t *t64 = golden_ints(golden->expected, "grad/t", NULL, NULL);
        int t[3];
        double time[3], each[3];
        for (int i = 0; i < 3; i++) {
            t[i] = (int)t64[i];
            time[i] = schedule_model_time(&schedule, t[i]);
        }
        forward_noise(&schedule, t, x0, eps, 3, dims, x0);
        run_forward(&net, x0, time);

        float *gradients = memory_small(net.trunk_params.size, sizeof(float));
        const float *eps_hat = value_data(net.trunk.eps);
        const ObjectiveBatch batch = {.schedule = &schedule,
                                      .images = 3,
                                      .dims = dims,
                                      .t = t,
                                      .eps = eps,
                                      .eps_hat = eps_hat};
        ck_loss(
            &net, golden, "stage1",
            objective_loss(&objective_eps, &batch, eps_hat, each, value_gradient(net.trunk.eps)));
        must(graph_backward(net.trunk_graph, gradients, &error), &error);
        float *want = read_params(&net.trunk_params, golden->expected, "grad/trunk");
        ck_gradients("stage 1", &net.trunk_params, gradients, want);
        memory_free(want);

        static const Objective *const losses[] = {&objective_sn, &objective_npr};
        for (int k = 0; k < 2; k++) {
            char group[32];
            ck_loss(&net, golden, head_names[k],
                    objective_loss(losses[k], &batch, value_data(net.head[k].out), each,
                                   value_gradient(net.head[k].out)));
            must(graph_backward(net.head_graph[k], gradients, &error), &error);
            snprintf(group, sizeof group, "grad/heads/%s", head_names[k]);
            want = read_params(&net.head_params, golden->expected, group);
            ck_gradients(head_names[k], &net.head_params, gradients, want);
            memory_free(want);
        }
        memory_free(gradients);
        free(x0);
        free(eps);
        free(t64);
        schedule_free(&schedule);
        release(&net);
    }
}
END_TEST

/* beta_bar_t v o (v' d/dx) score, score = -eps_hat / sqrt(beta_bar_t): a vector-Jacobian product of
 * the trunk, without weight gradients. */
START_TEST(input_gradients_are_golden)
{
    for (int g = 0; g < GOLDENS; g++) {
        const Golden *golden = &goldens[g];
        Error error = {0};
        Config config = config_of(golden);
        ParamSet params = {0};
        Graph *graph = graph_new(&params, (GraphOptions){.batch = 3, .input_gradients = true});
        UNet net = unet_build(graph, &config);
        graph_seed(graph, net.eps);
        must(graph_finish(graph, &error), &error);
        float *weights = read_params(&params, golden->checkpoint, "trunk");
        graph_load_weights(graph, weights);

        Schedule schedule;
        must(
            schedule_make(&schedule, config.diffusion.schedule, config.diffusion.timesteps, &error),
            &error);
        const size_t count = value_count(net.x), dims = count / 3;
        float *x0 = read_images(golden->expected, "grad/x0", net.x);
        float *eps = read_images(golden->expected, "grad/eps", net.x);
        float *v = read_images(golden->expected, "grad/ocm_v", net.x);
        float *want = read_images(golden->expected, "grad/ocm_target", net.x);
        int64_t *t64 = golden_ints(golden->expected, "grad/t", NULL, NULL);
        int t[3];
        double time[3];
        for (int i = 0; i < 3; i++) {
            t[i] = (int)t64[i];
            time[i] = schedule_model_time(&schedule, t[i]);
        }
        forward_noise(&schedule, t, x0, eps, 3, dims, value_data(net.x));
        unet_embed_times(time, 3, net.embedding, value_data(net.time));
        must(graph_forward(graph, 0, &error), &error);
        memcpy(value_gradient(net.eps), v, count * sizeof(float));
        must(graph_backward(graph, NULL, &error), &error);

        float *got = memory_small(count, sizeof *got);
        for (size_t i = 0; i < count; i++)
            got[i] =
                (float)(-sqrt(schedule.beta_bar[t[i / dims]]) * v[i] * value_gradient(net.x)[i]);
        ck_close("ocm target", got, want, count, 0);
        memory_free(got);
        memory_free(weights);
        free(x0), free(eps), free(v), free(want), free(t64);
        schedule_free(&schedule);
        graph_free(graph);
        params_free(&params);
    }
}
END_TEST

SUITE_MAIN("model", predictions_in_bfloat16_are_near, predictions_are_golden,
           predictions_are_within_1e_5_of_float64, losses_and_gradients_are_golden,
           input_gradients_are_golden)
