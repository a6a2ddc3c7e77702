/* Tests of heads that have a last layer for each bin of timesteps: they are compared with heads
 * that have one last layer. */
#include "tests/suite.h"

#include "base/memory.h"
#include "diffusion/time_bins.h"
#include "engine/optimizer.h"
#include "model/head.h"
#include "tests/expect.h"
#include "tests/small_unet.h"

#include <math.h>

static Error error; /* of the last call */

enum { BINS = 3, BATCH = 4, SIDE = 6, FEATURES = 8, OUTPUTS = 2, DIMS = SIDE * SIDE * OUTPUTS };

/* -- Bins ------------------------------------------------------------------------------------- */

START_TEST(bins_hold_every_timestep_once)
{
    static const int totals[] = {1, 2, 7, 100, 1000};
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        for (int count = 1; count <= totals[i] && count <= TIME_BINS_MAX; count++) {
            const TimeBins bins = time_bins_even(count, totals[i]);
            int found[TIME_BINS_MAX] = {0};
            for (int t = 1; t <= totals[i]; t++) {
                const int bin = time_bins_find(&bins, t);
                ck_assert(bins.first[bin] < t && t <= bins.first[bin + 1]);
                found[bin]++;
            }
            for (int bin = 0; bin < count; bin++)
                ck_assert(abs(found[bin] * count - totals[i]) < count); /* even, to rounding */
            ck_assert_int_eq(time_bins_find(&bins, 0), 0);
            ck_assert_int_eq(time_bins_find(&bins, totals[i] + 1), count - 1);
        }
}
END_TEST

START_TEST(usual_bins_are_narrow_at_small_t)
{
    static const int limits[] = {0,   2,   5,   10,  20,  41,  83,  166, 250,
                                 333, 416, 500, 583, 666, 750, 833, 916, 1000};
    const TimeBins bins = time_bins_usual(1000);
    ck_assert_int_eq(bins.count, 17);
    for (int b = 0; b <= bins.count; b++)
        ck_assert_int_eq(bins.first[b], limits[b]);
    for (int total = 1; total <= 10000; total += 1 + total / 7) {
        const TimeBins some = time_bins_usual(total);
        ck_assert(some.count >= (total < 12 ? total : 12) && some.count <= TIME_BINS_MAX);
        ck_assert(some.first[0] == 0 && some.first[1] < 4 && some.first[some.count] == total);
        for (int b = 0; b < some.count; b++)
            ck_assert_int_lt(some.first[b], some.first[b + 1]);
    }
}
END_TEST

START_TEST(bins_of_a_file_are_checked)
{
    TimeBins bins;
    static const int64_t good[] = {0, 3, 50, 100}, falls[] = {0, 50, 50, 100},
                         late[] = {1, 3, 50, 100}, early[] = {0, 3, 50, 99},
                         negative[] = {0, -3, 50, 100}, huge[] = {0, 1LL << 40, 50, 100};
    assert_ok(time_bins_read(&bins, good, 3, 100, &error));
    ck_assert_int_eq(bins.count, 3);
    ck_assert_int_eq(time_bins_find(&bins, 3), 0);
    ck_assert_int_eq(time_bins_find(&bins, 4), 1);
    ck_assert_int_eq(time_bins_find(&bins, 51), 2);
    const int64_t *const bad[] = {falls, late, early, negative, huge};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(time_bins_read(&bins, bad[i], 3, 100, &error),
                     "expected rising numbers from 0 to 100");
    assert_fails(time_bins_read(&bins, good, TIME_BINS_MAX + 1, 100, &error), "expected 1 to 64");
}
END_TEST

/* -- Heads ------------------------------------------------------------------------------------ */

/* A graph that makes features, and a head of `bins` bins on it. */
typedef struct Net {
    ParamSet trunk_params, params;
    Graph *trunk, *graph;
    Value *x;
    Head head;
    float *weights, *gradients;
} Net;

static Config config_of_head(void)
{
    Config config;
    config_defaults(&config);
    config.data.channels = OUTPUTS;
    config.model.norm_groups = 4;
    return config;
}

static void make(Net *net, int bins)
{
    const Config config = config_of_head();
    *net = (Net){0};
    net->trunk = graph_new(&net->trunk_params, (GraphOptions){.batch = BATCH});
    net->x = graph_input(net->trunk, SIDE, SIDE, FEATURES);
    Value *features = nn_silu(net->trunk, net->x);
    graph_keep(net->trunk, features);
    assert_ok(graph_finish(net->trunk, &error));
    net->graph = graph_new(&net->params, (GraphOptions){.batch = BATCH, .weight_gradients = true});
    net->head = head_build(net->graph, &config, bins, features, NULL);
    graph_seed(net->graph, net->head.out);
    assert_ok(graph_finish(net->graph, &error));
    net->weights = memory_small(net->params.size, sizeof(float));
    net->gradients = memory_small(net->params.size, sizeof(float));
}

static void forward(Net *net)
{
    fill_normal(value_data(net->x), value_count(net->x), 3);
    assert_ok(graph_forward(net->trunk, 0, &error));
    graph_load_weights(net->graph, net->weights);
    assert_ok(graph_forward(net->graph, 0, &error));
}

static void release(Net *net)
{
    graph_free(net->graph);
    graph_free(net->trunk);
    params_free(&net->params);
    params_free(&net->trunk_params);
    memory_free(net->weights);
    memory_free(net->gradients);
}

/* The tensor `name` in an array with the layout of the parameters, of bin `bin`. */
static float *part(const Net *net, float *array, const char *name, int bin)
{
    const Param *param = &net->params.items[params_find(&net->params, name)];
    const bool per_bin = net->head.bins > 1 && strncmp(name, "conv_out", 8) == 0;
    return array + param->offset + (per_bin ? (size_t)bin * param->count / BINS : 0);
}

static size_t part_count(const Net *single, const char *name)
{
    return single->params.items[params_find(&single->params, name)].count;
}

static const char *const names[] = {"norm_out.weight", "norm_out.bias", "conv_out.weight",
                                    "conv_out.bias"};
enum { NAMES = sizeof names / sizeof names[0] };

/* Image i's output in bin b, and its gradient, are those of a head that has the layer of bin b alone. */
START_TEST(a_bin_is_a_head_of_its_own)
{
    static const int bin[BATCH] = {2, 0, 2, 1};
    Net binned;
    make(&binned, BINS);
    ck_assert_int_eq(binned.params.items[params_find(&binned.params, "conv_out.weight")].rank, 5);
    network_randomise(&binned.params, binned.weights);
    forward(&binned);
    float *out = memory_small(BATCH * DIMS, sizeof *out), *each = memory_small(BATCH * DIMS, 4);
    float *seed = memory_small(BATCH * DIMS, sizeof *seed);
    fill_normal(seed, BATCH * DIMS, 9);
    head_read(&binned.head, bin, BATCH, out);
    head_seed_gradient(&binned.head, bin, seed);
    assert_ok(graph_backward(binned.graph, binned.gradients, &error));

    float *shared = memory_small(2 * FEATURES, sizeof *shared); /* gradients of the normalisation */
    for (int b = 0; b < BINS; b++) {
        Net single;
        const int first[BATCH] = {0};
        make(&single, 1);
        for (int n = 0; n < NAMES; n++)
            memcpy(part(&single, single.weights, names[n], 0),
                   part(&binned, binned.weights, names[n], b),
                   part_count(&single, names[n]) * sizeof(float));
        forward(&single);
        head_read(&single.head, first, BATCH, each);
        for (int i = 0; i < BATCH; i++)
            for (int k = 0; k < DIMS && bin[i] == b; k++)
                ck_assert_float_eq_tol(out[i * DIMS + k], each[i * DIMS + k], 1e-5f);

        float *own = memory_small(BATCH * DIMS, sizeof *own);
        for (int i = 0; i < BATCH * DIMS; i++)
            own[i] = bin[i / DIMS] == b ? seed[i] : 0;
        head_seed_gradient(&single.head, first, own);
        assert_ok(graph_backward(single.graph, single.gradients, &error));
        for (int n = 2; n < NAMES; n++)
            for (size_t i = 0; i < part_count(&single, names[n]); i++)
                ck_assert_float_eq_tol(part(&binned, binned.gradients, names[n], b)[i],
                                       part(&single, single.gradients, names[n], 0)[i], 1e-4f);
        for (int i = 0; i < 2 * FEATURES; i++)
            shared[i] += part(&single, single.gradients, names[i / FEATURES], 0)[i % FEATURES];
        memory_free(own);
        release(&single);
    }
    for (int i = 0; i < 2 * FEATURES; i++)
        ck_assert_float_eq_tol(
            part(&binned, binned.gradients, names[i / FEATURES], 0)[i % FEATURES], shared[i],
            1e-4f);
    memory_free(out);
    memory_free(each);
    memory_free(seed);
    memory_free(shared);
    release(&binned);
}
END_TEST

/* What the sums of least squares are made of is what the head's convolution reads. */
START_TEST(the_basis_is_the_input_of_the_last_layer)
{
    Net net;
    make(&net, 1);
    network_randomise(&net.params, net.weights);
    memset(part(&net, net.weights, "conv_out.weight", 0), 0,
           part_count(&net, "conv_out.weight") * sizeof(float));
    /* Output c is feature c of the pixel itself. */
    for (int c = 0; c < OUTPUTS; c++) {
        part(&net, net.weights, "conv_out.weight", 0)[(c * FEATURES + c) * 9 + 4] = 1;
        part(&net, net.weights, "conv_out.bias", 0)[c] = 0;
    }
    ParamSet params;
    params_init(&params);
    const Config config = config_of_head();
    Graph *graph = graph_new(&params, (GraphOptions){.batch = BATCH});
    Value *features = net.head.features;
    Value *basis = head_basis_build(graph, &config, features);
    assert_ok(graph_finish(graph, &error));
    ck_assert_int_eq(params.count, 2);
    graph_load_weights(graph, part(&net, net.weights, params.items[0].name, 0));
    forward(&net);
    assert_ok(graph_forward(graph, 0, &error));
    for (size_t p = 0; p < BATCH * SIDE * SIDE; p++)
        for (size_t c = 0; c < OUTPUTS; c++)
            ck_assert_float_eq_tol(value_data(net.head.out)[p * OUTPUTS + c],
                                   value_data(basis)[p * FEATURES + c], 1e-5f);
    graph_free(graph);
    params_free(&params);
    release(&net);
}
END_TEST

SUITE_MAIN("head bins", bins_hold_every_timestep_once, usual_bins_are_narrow_at_small_t,
           bins_of_a_file_are_checked, a_bin_is_a_head_of_its_own,
           the_basis_is_the_input_of_the_last_layer)
