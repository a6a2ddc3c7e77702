/* What the layers are made of: dropout masks and the sigmoid; and the normalisation on numbers that
 * are hard for it. Statistical bounds are five standard deviations; the numbers are
 * the same in every run, so a test passes always or never. */
#include "network.h"
#include "nn/activation.h"
#include "nn/dropout.h"
#include "reference.h"
#include "suite.h"

#include <omp.h>

/* Dropout masks. */

enum { MASK = 1 << 17 };

static float *mask_new(DropoutMask mask, size_t count)
{
    float *values = memory_small(count, sizeof *values);
    uint8_t *bits = memory_small(dropout_bytes(count), 1);
    dropout_draw(mask, count, bits);
    dropout_expand(&(DropoutBits){bits, mask.scale}, 0, count, values);
    memory_free(bits);
    return values;
}

static double fraction_zero(const float *values, size_t count)
{
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += values[i] == 0.0f;
    return (double)zeros / (double)count;
}

static double five_sigma(double probability, double count)
{
    return 5 * sqrt(probability * (1 - probability) / count);
}

START_TEST(masks_drop_what_they_should)
{
    const double probabilities[] = {0.01, 0.1, 0.5, 0.9};
    for (int k = 0; k < 4; k++) {
        const double p = probabilities[k];
        float *mask = mask_new(dropout_mask(1, 2, 3, 4, p), MASK);
        ck_assert_double_eq_tol(fraction_zero(mask, MASK), p, five_sigma(p, MASK));
        double mean = 0;
        float least = INFINITY, scale = 0;
        for (size_t i = 0; i < MASK; i++) {
            mean += mask[i] / (double)MASK;
            scale = fmaxf(scale, mask[i]);
            least = mask[i] != 0.0f ? fminf(least, mask[i]) : least;
        }
        ck_assert(least == scale);
        /* The probability is rounded to 16 bits, and the scale is the inverse of what is kept. */
        ck_assert_double_eq_tol(1 - 1 / (double)scale, p, 0x1p-17 + 1e-7);
        ck_assert_double_eq_tol(mean, 1.0, five_sigma(p, MASK) * scale);
        memory_free(mask);
    }
}
END_TEST

START_TEST(no_dropout_and_nothing_but_dropout)
{
    const size_t count = 1 << 20; /* 16 times the resolution of the probability */
    float *none = mask_new(dropout_mask(1, 2, 3, 4, 0.0), count);
    float *all = mask_new(dropout_mask(1, 2, 3, 4, 1.0), count);
    bool ones = true, zeros = true;
    for (size_t i = 0; i < count; i++) {
        ones &= none[i] == 1.0f;
        zeros &= all[i] == 0.0f;
    }
    ck_assert(ones);
    ck_assert(zeros);
    memory_free(none);
    memory_free(all);
}
END_TEST

/* Elements that two masks of probability 1/2 have in common are a half, if they are independent. */
static void check_independent(const float *a, const float *b, size_t count, const char *what)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += (a[i] == 0.0f) == (b[i] == 0.0f);
    double off = fabs((double)same / (double)count - 0.5);
    ck_assert_msg(off < five_sigma(0.5, (double)count), "%s: %zu of %zu are the same", what, same,
                  count);
}

START_TEST(masks_of_other_keys_are_independent)
{
    float *mask = mask_new(dropout_mask(1, 2, 3, 4, 0.5), MASK);
    const struct {
        const char *what;
        DropoutMask mask;
    } others[] = {
        {"seed", dropout_mask(2, 2, 3, 4, 0.5)},
        {"layer", dropout_mask(1, 3, 3, 4, 0.5)},
        {"step", dropout_mask(1, 2, 4, 4, 0.5)},
        {"image", dropout_mask(1, 2, 3, 5, 0.5)},
    };
    for (int k = 0; k < 4; k++) {
        float *other = mask_new(others[k].mask, MASK);
        check_independent(mask, other, MASK, others[k].what);
        memory_free(other);
    }
    for (size_t shift = 1; shift <= 16; shift++)
        check_independent(mask, mask + shift, MASK - shift, "an element from those before it");
    memory_free(mask);
}
END_TEST

/* Drawn in another length, or expanded from the middle: the same mask, and it is what the random
 * numbers say, 16 bits an element. */
START_TEST(a_mask_depends_on_its_key_alone)
{
    const DropoutMask key = dropout_mask(1, 2, 3, 4, 0.3);
    float *mask = mask_new(key, 100), other[101];
    uint8_t bits[32];
    for (size_t i = 0; i < 100; i++) {
        uint32_t words[4];
        random_block(key.key, (uint32_t)(i / 8), words);
        bool kept = (words[i % 8 / 2] >> (i % 2 * 16) & 0xffff) >= key.dropped;
        ck_assert(mask[i] == (kept ? key.scale : 0.0f));
    }
    for (size_t count = 0; count <= 100; count++) {
        memset(bits, 0xff, sizeof bits);
        dropout_draw(key, count, bits);
        ck_assert_int_eq(bits[dropout_bytes(count)], 0xff);
        for (size_t first = 0; first <= count; first++) {
            other[count - first] = 5.0f;
            dropout_expand(&(DropoutBits){bits, key.scale}, first, count - first, other);
            ck_assert_mem_eq(other, mask + first, (count - first) * sizeof *mask);
            ck_assert(other[count - first] == 5.0f);
        }
    }
    memory_free(mask);
}
END_TEST

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
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)a[i] - b[i]);
        worst = error > worst || isnan(error) ? error : worst;
    }
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
        worst = fmax(worst, fabs(got[i] - want.at[i]));
    ck_assert_double_le(worst, 1e-5);

    for (size_t i = 0; i < count; i++)
        net.x[0][i] = 0.7f;
    network_forward(&net);
    const double *bias = reference_param(&r, "norm", "bias");
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs(got[i] - bias[i % 12] * reference_sigmoid(bias[i % 12])));
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
    double worst = 0;
    for (int i = -86900; i <= 63900; i++) {
        float x = (float)i * 1e-3f;
        worst = fmax(worst, fabs(fast_exp(x) / exp(x) - 1));
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
        worst = fmax(worst, fabs(silu(x) - x * s) / fmax(1, fabs(x * s)));
        worst_slope = fmax(worst_slope, fabs(silu_derivative(x) - slope));
    }
    ck_assert_double_le(worst, 3e-7);
    ck_assert_double_le(worst_slope, 1e-6);
    ck_assert(silu(1e30f) == 1e30f);
    ck_assert(fabsf(silu(-1e20f)) < 1e-6f);
    ck_assert(isnan(silu(NAN)));
    ck_assert(isnan(silu_derivative(NAN)));
}
END_TEST

SUITE_MAIN("nn", masks_drop_what_they_should, no_dropout_and_nothing_but_dropout,
           masks_of_other_keys_are_independent, a_mask_depends_on_its_key_alone,
           dropout_in_a_graph_has_its_own_masks, dropout_multiplies_by_a_mask,
           a_large_mean_changes_nothing, epsilon_is_a_millionth, norms_do_not_depend_on_the_threads,
           exponential_is_accurate, silu_is_accurate)
