/* Tests of the parts of layers: dropout in a graph, the sigmoid, and the normalisation of numbers
 * that are hard for it. */
#include "layers/activation.h"
#include "layers/dropout.h"
#include "tests/expect.h"
#include "tests/masks.h"
#include "tests/network.h"
#include "tests/reference.h"
#include "tests/suite.h"

#include <omp.h>

/* Dropout in a graph: two normalisations of one value, side by side. */

enum { DROP_BATCH = 3, DROP_SIZE = 16, DROP_CHANNELS = 12 };

static void build_dropout(Network *net, GraphOptions options)
{
    options.batch = DROP_BATCH;
    options.weight_gradients = options.input_gradients = true;
    network_begin(net, options);
    Value *x = network_input(net, DROP_SIZE, DROP_SIZE, DROP_CHANNELS);
    Value *a = nn_group_norm(net->graph, x, "a", (Norm){.groups = 3, .silu = true, .dropout = 0.5});
    Value *b = nn_group_norm(net->graph, x, "b", (Norm){.groups = 3, .dropout = 0.5});
    network_finish(net, nn_concat(net->graph, a, b));
}

/* The mask of each layer and image, [2, DROP_BATCH, count], from the graph's output. */
static float *masks_of(const Network *net)
{
    const size_t pixels = DROP_BATCH * DROP_SIZE * DROP_SIZE;
    const float *out = value_data(net->out);
    float *masks = memory_small(2 * pixels * DROP_CHANNELS, sizeof *masks), *mask = masks;
    for (size_t layer = 0; layer < 2; layer++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < DROP_CHANNELS; c++)
                *mask++ = out[(2 * p + layer) * DROP_CHANNELS + c] != 0.0f;
    return masks;
}

START_TEST(dropout_in_a_graph_has_its_own_masks)
{
    const size_t image = DROP_SIZE * DROP_SIZE * DROP_CHANNELS, layer = DROP_BATCH * image;
    Network net;
    build_dropout(&net, (GraphOptions){.dropout = true, .seed = 5});
    network_forward(&net);
    float *masks = masks_of(&net);
    ck_assert_double_eq_tol(fraction_zero(masks, 2 * layer), 0.5, five_sigma(0.5, 2.0 * layer));
    check_independent(masks, masks + layer, layer, "two layers");
    check_independent(masks, masks + image, layer - image, "two images");

    network_forward(&net);
    float *again = masks_of(&net);
    ck_assert_mem_eq(again, masks, 2 * layer * sizeof *masks);
    net.step++;
    network_forward(&net);
    float *next = masks_of(&net);
    check_independent(masks, next, 2 * layer, "two steps");
    memory_free(masks);
    memory_free(again);
    memory_free(next);
    network_free(&net);
}
END_TEST

/* Layer, step and image of the key, and the order of the elements, are those of the definition. */
static void check_graph_mask(const Network *net, const float *masks, uint32_t layer)
{
    const size_t image = DROP_SIZE * DROP_SIZE * DROP_CHANNELS;
    uint8_t *bits = memory_small(dropout_bytes(image), 1);
    for (uint32_t i = 0; i < DROP_BATCH; i++) {
        const uint32_t parameter = 2 * layer; /* a layer is known by its weight's place */
        dropout_bits(dropout_mask(net->options.seed, parameter, net->step, i, 0.5), bits, image);
        const float *mask = masks + (layer * DROP_BATCH + i) * image;
        for (size_t e = 0; e < image; e++)
            ck_assert((mask[e] != 0.0f) == (bits[e / 8] >> e % 8 & 1));
    }
    memory_free(bits);
}

START_TEST(dropout_in_a_graph_is_as_defined)
{
    Network net;
    build_dropout(&net, (GraphOptions){.dropout = true, .seed = 5});
    net.step = 3;
    network_forward(&net);
    float *masks = masks_of(&net);
    check_graph_mask(&net, masks, 0);
    check_graph_mask(&net, masks, 1);
    memory_free(masks);
    network_free(&net);
}
END_TEST

/* An element that is kept is scaled and is otherwise what it is without dropout; and the gradient
 * is that without dropout, of an output multiplied by the mask. */
START_TEST(dropout_multiplies_by_a_mask)
{
    Network plain, dropped;
    build_dropout(&plain, (GraphOptions){.dropout = false, .seed = 5});
    build_dropout(&dropped, (GraphOptions){.dropout = true, .seed = 5});
    network_backward(&dropped);
    const float *without = network_forward(&plain), *with = value_data(dropped.out);
    bool multiplied = true;
    for (size_t i = 0; i < value_count(plain.out); i++) {
        multiplied &= without[i] != 0.0f && (with[i] == 0.0f || with[i] == 2.0f * without[i]);
        plain.cotangent[i] *= with[i] / without[i];
    }
    ck_assert(multiplied);
    network_backward(&plain);
    ck_assert_mem_eq(dropped.dx[0], plain.dx[0], value_count(plain.input[0]) * sizeof(float));
    ck_assert_mem_eq(dropped.gradients, plain.gradients, plain.params.size * sizeof(float));
    network_free(&plain);
    network_free(&dropped);
}
END_TEST

/* Normalisation. */

static void build_norm(Network *net, int batch, bool shifted)
{
    network_begin(
        net, (GraphOptions){.batch = batch, .weight_gradients = true, .input_gradients = true});
    Value *x = network_input(net, 10, 10, 12);
    Value *shift = shifted ? network_input(net, 1, 1, 12) : NULL;
    network_finish(net, nn_group_norm(net->graph, x, "norm",
                                      (Norm){.groups = 6, .silu = true, .shift = shift}));
}

static double largest_difference(const float *a, const float *b, size_t count)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = larger(worst, fabs((double)a[i] - b[i]));
    return worst;
}

/* z and 1000 + z are the same to a normalisation, and so is a shift by 1000. z are multiples of
 * 2^-12, so that the sums are exact. What may differ is the rounding of terms of 1000 / sigma times
 * a weight below 2: of the mean, of scale and offset, and of their use, six in all. The variance as
 * the mean of squares less the square of the mean would be off by a hundred times that. */
START_TEST(a_large_mean_changes_nothing)
{
    const double mean = 1000.0, sigmas[] = {1.0, 0.1};
    for (int k = 0; k < 2; k++) {
        Network near, far, shifted;
        build_norm(&near, 3, false);
        build_norm(&far, 3, false);
        build_norm(&shifted, 3, true);
        const size_t count = value_count(near.input[0]);
        for (size_t i = 0; i < count; i++) {
            float z = (float)(rint(sigmas[k] * near.x[0][i] * 4096) / 4096);
            near.x[0][i] = shifted.x[0][i] = z;
            far.x[0][i] = (float)mean + z;
        }
        for (size_t i = 0; i < value_count(shifted.input[1]); i++)
            shifted.x[1][i] = (float)mean;
        network_backward(&near);
        network_backward(&far);
        network_backward(&shifted);
        const double tolerance = 6 * 2 * mean / sigmas[k] * 0x1p-24;
        const double steep = norm_of(near.dx[0], count) / sqrt((double)count);
        const Network *others[] = {&far, &shifted};
        for (int j = 0; j < 2; j++) {
            double output =
                largest_difference(value_data(others[j]->out), value_data(near.out), count);
            double gradient = largest_difference(others[j]->dx[0], near.dx[0], count) / steep;
            ck_assert_double_le(output, tolerance);
            ck_assert_double_le(gradient, 4 * tolerance);
        }
        network_free(&near);
        network_free(&far);
        network_free(&shifted);
    }
}
END_TEST

/* Where the variance is a millionth too, the epsilon is half of the whole; where there is none, it
 * keeps the result at the bias. */
START_TEST(epsilon_is_a_millionth)
{
    Network net;
    build_norm(&net, 3, false);
    const size_t count = value_count(net.input[0]);
    double *weights = memory_small(net.params.size, sizeof *weights);
    double *x = memory_small(count, sizeof *x);
    for (size_t i = 0; i < net.params.size; i++)
        weights[i] = net.weights[i];
    for (size_t i = 0; i < count; i++)
        x[i] = net.x[0][i] *= 1e-3f;
    Reference r = {.params = &net.params, .weights = weights};
    Tensor want = reference_group_norm(&r, (Tensor){3, 10, 10, 12, x}, "norm", 6);
    want = reference_silu(&r, want);
    const float *got = network_forward(&net);
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = larger(worst, fabs(got[i] - want.at[i]));
    ck_assert_double_le(worst, 1e-5);

    for (size_t i = 0; i < count; i++)
        net.x[0][i] = 0.7f;
    network_forward(&net);
    const double *bias = reference_param(&r, "norm", "bias");
    for (size_t i = 0; i < count; i++)
        worst = larger(worst, fabs(got[i] - bias[i % 12] * reference_sigmoid(bias[i % 12])));
    ck_assert_double_le(worst, 1e-3);
    reference_free(&r);
    memory_free(weights);
    memory_free(x);
    network_free(&net);
}
END_TEST

/* Unlike a matrix product of the library's, which may add up in another order when it is shared out
 * among other threads, what is our own gives the same bits. */
START_TEST(norms_do_not_depend_on_the_threads)
{
    Network one;
    omp_set_num_threads(1);
    build_norm(&one, 5, true);
    network_backward(&one);
    for (int threads = 2; threads <= 4; threads++) {
        Network many;
        omp_set_num_threads(threads);
        build_norm(&many, 5, true);
        network_backward(&many);
        const size_t bytes = value_count(one.out) * sizeof(float);
        ck_assert_mem_eq(value_data(many.out), value_data(one.out), bytes);
        ck_assert_mem_eq(many.dx[0], one.dx[0], bytes);
        ck_assert_mem_eq(many.dx[1], one.dx[1], value_count(one.input[1]) * sizeof(float));
        ck_assert_mem_eq(many.gradients, one.gradients, one.params.size * sizeof(float));
        network_free(&many);
    }
    network_free(&one);
}
END_TEST

/* The sigmoid. */

START_TEST(exponential_is_accurate)
{
#ifdef __x86_64__
    if (!__builtin_cpu_supports(
            "avx512f")) /* of the clones of a loop the best is run (base/dispatch.h) */
        suite_skips("AVX-512");
#endif
    double worst = 0;
    for (int i = -86900; i <= 63900; i++) {
        float x = (float)i * 1e-3f;
        worst = larger(worst, fabs(fast_exp(x) / exp(x) - 1));
    }
    ck_assert_double_le(worst, 3e-7);
    ck_assert(isnan(fast_exp(NAN)));
}
END_TEST

/* Also far out, where it must end at x or at zero, and not be a number when x is none: that is how
 * a training run that diverges is noticed. */
START_TEST(silu_is_accurate)
{
    double worst = 0, worst_slope = 0;
    for (int i = -400000; i <= 400000; i++) {
        float x = (float)i * 1e-3f;
        double s = reference_sigmoid(x), slope = s * (1 + x * (1 - s));
        worst = larger(worst, fabs(silu(x) - x * s) / fmax(1, fabs(x * s)));
        worst_slope = larger(worst_slope, fabs(silu_derivative(x) - slope));
    }
    ck_assert_double_le(worst, 3e-7);
    ck_assert_double_le(worst_slope, 1e-6);
    ck_assert(silu(1e30f) == 1e30f);
    ck_assert(fabsf(silu(-1e20f)) < 1e-6f);
    ck_assert(isnan(silu(NAN)));
    ck_assert(isnan(silu_derivative(NAN)));
}
END_TEST

SUITE_MAIN("nn", dropout_in_a_graph_has_its_own_masks, dropout_in_a_graph_is_as_defined,
           dropout_multiplies_by_a_mask, a_large_mean_changes_nothing, epsilon_is_a_millionth,
           norms_do_not_depend_on_the_threads, exponential_is_accurate, silu_is_accurate)
