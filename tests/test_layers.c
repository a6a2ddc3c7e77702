/* Tests of every layer, forward and backward.
 *
 * Outputs are compared with plain loops in double. Gradients are compared with differences of the
 * loss, twice. Differences of the float32 graph itself need no correct second implementation.
 * Differences of the loops have almost no rounding, and show an error that is a hundred times
 * smaller.
 */
#include "engine/primitive.h"
#include "tests/layer_cases.h"
#include "tests/suite.h"

#include <omp.h>

static void build_in(DType type, Network *net, const Case *c, bool weight_gradients,
                     bool input_gradients)
{
    Value *in[NETWORK_INPUTS];
    network_begin(net, (GraphOptions){.batch = c->batch,
                                      .type = type,
                                      .weight_gradients = weight_gradients,
                                      .input_gradients = input_gradients});
    for (int k = 0; k < NETWORK_INPUTS && c->in[k].c > 0; k++)
        in[k] = network_input(net, c->in[k].h, c->in[k].w, c->in[k].c);
    network_finish(net, c->build(net->graph, in, c));
}

static void build(Network *net, const Case *c, bool weight_gradients, bool input_gradients)
{
    build_in(DTYPE_F32, net, c, weight_gradients, input_gradients);
}

static double *to_double(const float *values, size_t count)
{
    double *wide = memory_small(count + 1, sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    return wide;
}

/* The loops, on numbers of their own that start as the network's. */
typedef struct Loops {
    const Case *test;
    const Network *net;
    double *x[NETWORK_INPUTS], *weights;
} Loops;

static Loops loops_of(const Case *c, const Network *net)
{
    Loops loops = {.test = c, .net = net, .weights = to_double(net->weights, net->params.size)};
    for (int k = 0; k < net->inputs; k++)
        loops.x[k] = to_double(net->x[k], value_count(net->input[k]));
    return loops;
}

static void loops_free(Loops *loops)
{
    memory_free(loops->weights);
    for (int k = 0; k < NETWORK_INPUTS; k++)
        memory_free(loops->x[k]);
}

static Tensor run_loops(const Loops *loops, Reference *r)
{
    *r = (Reference){.params = &loops->net->params, .weights = loops->weights};
    for (int k = 0; k < loops->net->inputs; k++) {
        const InputShape *s = &loops->test->in[k];
        r->input[k] = (Tensor){loops->test->batch, s->h, s->w, s->c, loops->x[k]};
    }
    return loops->test->loops(r, r->input, loops->test);
}

static double loops_loss(const Loops *loops)
{
    Reference r;
    Tensor out = run_loops(loops, &r);
    double loss = 0;
    for (size_t i = 0; i < tensor_size(out); i++)
        loss += loops->net->cotangent[i] * out.at[i];
    reference_free(&r);
    return loss;
}

/* Sums here have up to 441 terms: float32 loses less than sqrt(441) * 2^-24 of the largest output,
 * and a normalisation of 1568 numbers 7e-7, in whatever order a processor adds. */
START_TEST(outputs_are_those_of_plain_loops)
{
    for (int i = 0; i < CASES; i++) {
        Network net;
        build(&net, &cases[i], false, false);
        Loops loops = loops_of(&cases[i], &net);
        Reference r;
        Tensor want = run_loops(&loops, &r);
        const float *got = network_forward(&net);
        ck_assert_int_eq(want.c, value_channels(net.out));
        ck_assert_int_eq(want.h, value_height(net.out));
        ck_assert_uint_eq(tensor_size(want), value_count(net.out));
        double largest = 0, worst = 0;
        for (size_t k = 0; k < tensor_size(want); k++) {
            worst = larger(worst, fabs(got[k] - want.at[k]));
            largest = larger(largest, fabs(want.at[k]));
        }
        ck_assert_msg(worst <= 3e-6 * largest, "%s: off by %g, the largest is %g", cases[i].what,
                      worst, largest);
        reference_free(&r);
        loops_free(&loops);
        network_free(&net);
    }
}
END_TEST

START_TEST(gradients_are_differences_of_the_graph)
{
    omp_set_num_threads(1); /* many runs of little work */
    for (int i = 0; i < CASES; i++) {
        Network net;
        build(&net, &cases[i], true, true);
        network_backward(&net);
        for (int k = 0; k < network_leaves(&net); k++) {
            Leaf leaf = network_leaf(&net, k);
            network_check_leaf(&net, leaf, 3, cases[i].what);
            const size_t elements[] = {0, leaf.count / 2, leaf.count - 1};
            for (int j = 0; j < 3; j++) {
                Difference d = network_difference_at(&net, leaf, elements[j]);
                ck_assert_msg(difference_error(d, 1.0) < network_tolerance,
                              "%s: gradient of %s[%zu]: %g where the loss changes by %g",
                              cases[i].what, leaf.name, elements[j], d.predicted, d.measured);
            }
        }
        network_free(&net);
    }
}
END_TEST

/* The change of the loops' loss along u, of leaf k of the network, as a derivative. In double a
 * step of 1e-4 leaves an error of 1e-8. */
static double loops_derivative(Loops *loops, int k, const float *u)
{
    const double step = 1e-4;
    const Network *net = loops->net;
    Leaf leaf = network_leaf(net, k);
    double *values = k < net->inputs ? loops->x[k] : loops->weights + (leaf.values - net->weights);
    double loss[2];
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < leaf.count; i++)
            values[i] = leaf.values[i] + (side ? -step : step) * u[i];
        loss[side] = loops_loss(loops);
    }
    for (size_t i = 0; i < leaf.count; i++)
        values[i] = leaf.values[i];
    return (loss[0] - loss[1]) / (2 * step);
}

/* The network's gradient is rounded to float32, and nothing else: along random directions it is
 * within 2e-6 of its length. */
START_TEST(gradients_are_differences_of_the_loops)
{
    omp_set_num_threads(1);
    for (int i = 0; i < CASES; i++) {
        Network net;
        build(&net, &cases[i], true, true);
        network_backward(&net);
        Loops loops = loops_of(&cases[i], &net);
        for (int k = 0; k < network_leaves(&net); k++) {
            Leaf leaf = network_leaf(&net, k);
            float *u = memory_small(leaf.count, sizeof *u);
            for (uint32_t direction = 0; direction < 3; direction++) {
                fill_normal(u, leaf.count, 6000 + direction);
                double predicted = 0;
                for (size_t j = 0; j < leaf.count; j++)
                    predicted += (double)leaf.gradient[j] * u[j];
                double error = fabs(predicted - loops_derivative(&loops, k, u)) /
                               norm_of(leaf.gradient, leaf.count);
                ck_assert_msg(error < 1e-5, "%s: gradient of %s: off by %.2g of its length",
                              cases[i].what, leaf.name, error);
            }
            memory_free(u);
        }
        loops_free(&loops);
        network_free(&net);
    }
}
END_TEST

/* A graph that wants gradients of one kind only computes these as if it wanted both, and has no
 * memory for the others. */
START_TEST(gradients_of_one_kind_are_the_same)
{
    omp_set_num_threads(1);
    for (int i = 0; i < CASES; i++) {
        Network both, weights, inputs;
        build(&both, &cases[i], true, true);
        build(&weights, &cases[i], true, false);
        build(&inputs, &cases[i], false, true);
        network_backward(&both);
        network_backward(&inputs);
        for (int k = 0; k < both.inputs; k++)
            ck_assert_msg(distance(inputs.dx[k], both.dx[k], value_count(both.input[k])) < 1e-6,
                          "%s: input %d", cases[i].what, k);
        if (both.params.count > 0) { /* else there is nothing to seed */
            network_backward(&weights);
            for (int k = 0; k < both.params.count; k++) {
                const Param *param = &both.params.items[k];
                ck_assert_msg(distance(weights.gradients + param->offset,
                                       both.gradients + param->offset, param->count) < 1e-6,
                              "%s: %s", cases[i].what, param->name);
            }
        }
        for (int k = 0; k < both.inputs; k++)
            ck_assert_ptr_null(value_gradient(weights.input[k]));
        network_free(&both);
        network_free(&weights);
        network_free(&inputs);
    }
}
END_TEST

/* bfloat16 rounds each number by up to 2^-9, 0.2 %. A few roundings follow one another in a case, of
 * weights, of images and of gradients, and are independent. */
START_TEST(bfloat16_is_float32_but_for_rounding)
{
    if (primitive_support(DTYPE_BF16) == SUPPORT_NONE) {
        suite_skips("bf16, which is AVX-512");
        return;
    }
    for (int i = 0; i < CASES; i++) {
        Network exact, rounded;
        build_in(DTYPE_F32, &exact, &cases[i], true, true);
        build_in(DTYPE_BF16, &rounded, &cases[i], true, true);
        network_backward(&exact);
        network_backward(&rounded);
        double off =
            distance(value_data(rounded.out), value_data(exact.out), value_count(exact.out));
        ck_assert_msg(off < 0.01, "%s: the output is off by %g", cases[i].what, off);
        for (int k = 0; k < network_leaves(&exact); k++) {
            Leaf leaf = network_leaf(&exact, k);
            off = distance(network_leaf(&rounded, k).gradient, leaf.gradient, leaf.count);
            ck_assert_msg(off < 0.02, "%s: the gradient of %s is off by %g", cases[i].what,
                          leaf.name, off);
        }
        network_free(&exact);
        network_free(&rounded);
    }
}
END_TEST

SUITE_MAIN("layers", bfloat16_is_float32_but_for_rounding, outputs_are_those_of_plain_loops,
           gradients_are_differences_of_the_graph, gradients_are_differences_of_the_loops,
           gradients_of_one_kind_are_the_same)
