/* Tests of sums of patches: they are compared with the same sums written from the definition. The
 * weights that they lead to are compared with the convolution that made the targets. */
#include "tests/suite.h"

#include "base/memory.h"
#include "engine/optimizer.h"
#include "layers/patch_gram.h"
#include "stats/least_squares.h"
#include "tests/expect.h"
#include "tests/network.h"

#include <math.h>
#include <omp.h>

static Error error; /* of the last call */

typedef struct Shape4 {
    int n, height, width, channels, kinds, outputs;
} Shape4;

/* Odd sizes, images of one row or one column, more images than are taken at a time, one pixel. */
static const Shape4 shapes[] = {
    {3, 5, 7, 4, 2, 1}, {2, 1, 6, 3, 1, 2},    {2, 6, 1, 5, 1, 1},
    {1, 1, 1, 2, 1, 1}, {13, 28, 28, 3, 2, 3}, {2, 9, 9, 40, 2, 1},
};

/* A graph whose kept value is its input, in the graph's type; `numbers` are those it holds. */
static Value *input_of(Network *net, const Shape4 *s, DType type, float **numbers)
{
    network_begin(net, (GraphOptions){.batch = s->n, .type = type});
    Value *x = graph_input(net->graph, s->height, s->width, s->channels);
    Value *z = nn_cast(net->graph, x, type);
    const size_t count = value_count(x);
    graph_keep(net->graph, z);
    assert_ok(graph_finish(net->graph, &error));
    *numbers = memory_small(count, sizeof **numbers);
    fill_normal(*numbers, count, 3);
    memcpy(value_data(x), *numbers, count * sizeof **numbers);
    assert_ok(graph_forward(net->graph, 0, &error));
    for (size_t i = 0; type == DTYPE_BF16 && i < count; i++)
        (*numbers)[i] = bf16_to_float(bf16_from_float((*numbers)[i]));
    return z;
}

/* phi of pixel (image, y, x): patches row by row, then one. */
static void patch(const Shape4 *s, const float *z, int image, int y, int x, double *phi)
{
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            for (int c = 0; c < s->channels; c++) {
                const int ny = y + dy, nx = x + dx;
                const bool inside = ny >= 0 && ny < s->height && nx >= 0 && nx < s->width;
                const int at = ((image * s->height + ny) * s->width + nx) * s->channels + c;
                *phi++ = inside ? z[at] : 0;
            }
    *phi = 1;
}

static void compare(const char *what, const double *got, const double *want, size_t count,
                    double tolerance)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = larger(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= tolerance * largest, "%s[%zu]: %.9g, not %.9g",
                      what, i, got[i], want[i]);
}

static void check_shape(const Shape4 *s, DType type)
{
    Network net;
    float *numbers;
    const Value *z = input_of(&net, s, type, &numbers);
    const size_t pixels = (size_t)(s->n * s->height * s->width), outputs = (size_t)s->outputs;
    const int features = patch_gram_features(s->channels), targets = s->kinds * s->outputs;
    const size_t size = normal_sums_size(features, targets);
    NormalSums got = normal_sums_at(memory_small(size, sizeof(double)), features, targets);
    NormalSums want = normal_sums_at(memory_small(size, sizeof(double)), features, targets);
    double *phi = memory_small((size_t)features, sizeof *phi);
    float *y[2];
    for (int k = 0; k < s->kinds; k++) {
        y[k] = memory_small(pixels * outputs, sizeof *y[k]);
        fill_normal(y[k], pixels * outputs, 10 + (uint32_t)k);
    }
    PatchGram *gram;
    assert_ok(patch_gram_make(&gram, z, s->kinds, s->outputs, &error));
    for (int twice = 0; twice < 2; twice++) /* it adds */
        assert_ok(patch_gram_add(gram, (const float *const *)y, got.products, got.moments, &error));

    for (int p = 0; p < (int)pixels; p++) {
        patch(s, numbers, p / (s->height * s->width), p / s->width % s->height, p % s->width, phi);
        double *products = want.products;
        for (int i = 0; i < features; i++)
            for (int j = 0; j <= i; j++)
                *products++ += 2 * phi[i] * phi[j];
        for (int t = 0; t < targets; t++)
            for (int i = 0; i < features; i++)
                want.moments[t * features + i] +=
                    2 * phi[i] *
                    (double)y[t / s->outputs][(size_t)p * outputs + (size_t)(t % s->outputs)];
    }
    /* Products of bfloat16 numbers are exact in float32, so both types are off by float32 sums of up to 8192
     * numbers alone: about 2^-24 sqrt(8192). */
    const double rounding = 5.4e-6;
    compare("products", got.products, want.products, (size_t)(features * (features + 1) / 2),
            rounding);
    compare("moments", got.moments, want.moments, (size_t)(targets * features), rounding);

    for (int k = 0; k < s->kinds; k++)
        memory_free(y[k]);
    memory_free(numbers);
    memory_free(phi);
    memory_free(got.products);
    memory_free(want.products);
    patch_gram_free(gram);
    network_free(&net);
}

START_TEST(sums_are_those_of_the_definition)
{
    const bool bf16 = primitive_support(DTYPE_BF16) != SUPPORT_NONE;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_shape(&shapes[i], DTYPE_F32);
        if (bf16)
            check_shape(&shapes[i], DTYPE_BF16);
    }
    if (!bf16)
        suite_skips("bf16, which is AVX-512");
}
END_TEST

/* Targets made by a convolution of lib/layers lead back to its weights. */
START_TEST(a_convolution_is_recovered)
{
    enum { N = 4, SIDE = 12, CHANNELS = 6, OUTPUTS = 2 };
    Network net;
    network_begin(&net, (GraphOptions){.batch = N});
    Value *x = network_input(&net, SIDE, SIDE, CHANNELS);
    Value *z = nn_group_norm(net.graph, x, "norm", (Norm){.groups = 3, .silu = true});
    graph_keep(net.graph, z);
    Value *out =
        nn_conv2d(net.graph, z, "conv", OUTPUTS, (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
    network_finish(&net, out);
    network_forward(&net);

    const int features = patch_gram_features(CHANNELS);
    NormalSums sums = normal_sums_at(
        memory_small(normal_sums_size(features, OUTPUTS), sizeof(double)), features, OUTPUTS);
    PatchGram *gram;
    const float *y[] = {value_data(out)};
    assert_ok(patch_gram_make(&gram, z, 1, OUTPUTS, &error));
    assert_ok(patch_gram_add(gram, y, sums.products, sums.moments, &error));
    *sums.count = N * SIDE * SIDE;

    double w[OUTPUTS * (9 * CHANNELS + 1)];
    float kernel[9 * CHANNELS], bias;
    assert_ok(least_squares_solve(&sums, NULL, (Shrinkage){0}, w, NULL, &error));
    const Param *weight = &net.params.items[params_find(&net.params, "conv.weight")];
    const Param *offset = &net.params.items[params_find(&net.params, "conv.bias")];
    for (int c = 0; c < OUTPUTS; c++) {
        patch_gram_weights(w + c * features, CHANNELS, kernel, &bias);
        ck_assert_float_eq_tol(bias, net.weights[offset->offset + (size_t)c], 1e-4f);
        for (int i = 0; i < 9 * CHANNELS; i++)
            ck_assert_float_eq_tol(
                kernel[i], net.weights[weight->offset + (size_t)(c * 9 * CHANNELS + i)], 1e-4f);
    }
    patch_gram_free(gram);
    memory_free(sums.products);
    network_free(&net);
}
END_TEST

/* Adam on the same observations comes down to the loss that was solved for, and never below. */
START_TEST(no_descent_goes_below_the_solution)
{
    enum { N = 8, SIDE = 10, CHANNELS = 5, STEPS = 1500 };
    Network net;
    omp_set_num_threads(1); /* steps so small that threads would only wait for one another */
    network_begin(&net, (GraphOptions){.batch = N, .weight_gradients = true});
    Value *x = network_input(&net, SIDE, SIDE, CHANNELS);
    graph_keep(net.graph, x);
    Value *out =
        nn_conv2d(net.graph, x, "conv", 1, (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1});
    network_finish(&net, out);
    const size_t count = value_count(out), features = (size_t)patch_gram_features(CHANNELS);
    float *y = memory_small(count, sizeof *y);
    fill_normal(y, count, 20);
    for (size_t i = 0; i < count;
         i++) /* skewed, as squares of noise are, and not a linear map of x */
        y[i] = y[i] * y[i] + fabsf(net.x[0][i * CHANNELS]);

    NormalSums sums = normal_sums_at(
        memory_small(normal_sums_size((int)features, 1), sizeof(double)), (int)features, 1);
    PatchGram *gram;
    double w[9 * CHANNELS + 1];
    network_forward(&net);
    assert_ok(patch_gram_make(&gram, x, 1, 1, &error));
    assert_ok(patch_gram_add(gram, (const float *const[]){y}, sums.products, sums.moments, &error));
    for (size_t i = 0; i < count; i++)
        sums.squares[0] += (double)y[i] * (double)y[i];
    *sums.count = (double)count;
    assert_ok(least_squares_solve(&sums, NULL, (Shrinkage){0}, w, NULL, &error));
    const double least = normal_sums_loss(&sums, 0, w);

    const OptimizerState state = {.size = net.params.size,
                                  .weights = net.weights,
                                  .ema = memory_small(net.params.size, sizeof(float)),
                                  .first_moment = memory_small(net.params.size, sizeof(float)),
                                  .second_moment = memory_small(net.params.size, sizeof(float)),
                                  .gradients = net.gradients};
    double loss = 0;
    for (int step = 1; step <= STEPS; step++) {
        const float *got = network_forward(&net);
        loss = 0;
        for (size_t i = 0; i < count; i++) {
            const double off = (double)got[i] - (double)y[i];
            loss += off * off / (double)count;
            net.cotangent[i] = (float)(2 * off / (double)count);
        }
        ck_assert_msg(loss >= least * (1 - 1e-5), "step %d: %.9g, below %.9g", step, loss, least);
        network_backward(&net);
        const OptimizerSettings settings = {.lr = 0.02 * (STEPS - step) / STEPS, .ema = 0};
        optimizer_update(&state, &settings, step, 0);
    }
    ck_assert_msg(loss <= least * (1 + 1e-4), "Adam stops at %.9g, the least is %.9g", loss, least);

    memory_free(state.ema);
    memory_free(state.first_moment);
    memory_free(state.second_moment);
    memory_free(y);
    memory_free(sums.products);
    patch_gram_free(gram);
    network_free(&net);
}
END_TEST

SUITE_MAIN("patch gram", sums_are_those_of_the_definition, a_convolution_is_recovered,
           no_descent_goes_below_the_solution)
