/* Tests of the optimiser against Adam as in its paper and in PyTorch. This file has Adam once more,
 * one number at a time and in double. */
#include "base/memory.h"
#include "base/random.h"
#include "engine/optimizer.h"

#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <omp.h>

/* More than two of the blocks that the optimiser works in, and not a multiple of anything. */
enum { LARGE = 2 * 32768 + 1237, UPDATES = 40 };

/* -- Adam in double --------------------------------------------------------------------------- */

typedef struct Scalar {
    double weight, ema, first, second;
} Scalar;

/* torch.optim.Adam's update `i`, counted from 1, with its default betas and epsilon, then the
 * moving average. */
static void adam(Scalar *s, double gradient, int i, double rate, double ema)
{
    const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    s->first = beta1 * s->first + (1 - beta1) * gradient;
    s->second = beta2 * s->second + (1 - beta2) * gradient * gradient;
    double first = s->first / (1 - pow(beta1, i)), second = s->second / (1 - pow(beta2, i));
    s->weight -= rate * first / (sqrt(second) + epsilon);
    s->ema = ema * s->ema + (1 - ema) * s->weight;
}

/* What torch.optim.Adam itself, in float64, makes of these gradients at lr 0.01: the yardstick
 * measured. The third gradient is of the size of epsilon, which shows where that is added. */
START_TEST(yardstick_is_pytorch)
{
    static const double gradients[3][4] = {
        {0.3, -0.2, 1e-8, 5.0}, {-0.1, -0.4, 2e-8, -3.0}, {0.7, 0.1, -1e-8, 0.25}};
    static const double expected[3][4] = {
        {0.4900000003333333, -1.2400000005, 1.995, -0.009999999979999999},
        {0.48599781479280807, -1.2303481805469538, 1.989087201053583, -0.01191498032762798},
        {0.47890257503390987, -1.2244621134421516, 1.9866263749723743, -0.013667779518228292}};
    Scalar s[4] = {{.weight = 0.5}, {.weight = -1.25}, {.weight = 2.0}, {.weight = 0.0}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++) {
            adam(&s[k], gradients[i][k], i + 1, 0.01, 0.9);
            ck_assert_double_eq_tol(s[k].weight, expected[i][k], 1e-14);
        }
}
END_TEST

/* -- The optimiser's state -------------------------------------------------------------------- */

static float *array(size_t size)
{
    Error error;
    float *values = memory_large(size, sizeof *values, "a test", &error);
    ck_assert_ptr_nonnull(values);
    return values;
}

/* Weights N(0, 1), and an average that starts elsewhere. */
static OptimizerState make_state(size_t size)
{
    OptimizerState state = {.size = size,
                            .weights = array(size),
                            .ema = array(size),
                            .first_moment = array(size),
                            .second_moment = array(size),
                            .gradients = array(size)};
    random_normal((RandomKey){.seed = 1}, state.weights, size);
    random_normal((RandomKey){.seed = 2}, state.ema, size);
    return state;
}

/* Gradients of every size that matters: from below epsilon up to 1. */
static void draw_gradients(const OptimizerState *state, int i)
{
    random_normal((RandomKey){.seed = 3, .step = (uint32_t)i}, state->gradients, state->size);
    for (size_t k = 0; k < state->size; k++)
        state->gradients[k] *= powf(10.0f, -(float)(k % 10));
}

/* One update of all numbers by the yardstick. */
static void update_scalars(Scalar *scalars, const OptimizerState *state,
                           const OptimizerSettings *settings, int i, double rate)
{
    double squares = 0;
    for (size_t k = 0; k < state->size; k++)
        squares += (double)state->gradients[k] * state->gradients[k];
    double norm = sqrt(squares), scale = 1;
    if (settings->grad_clip > 0 && norm > settings->grad_clip)
        scale = settings->grad_clip / norm;
    double rising = (1.0 + i) / (10.0 + i);
    double ema = settings->ema < rising ? settings->ema : rising;
    for (size_t k = 0; k < state->size; k++)
        adam(&scalars[k], scale * state->gradients[k], i, rate, ema);
}

/* Check writes down every assertion that is passed, which is slow for a million of them. */
static void assert_near(float found, double expected, double bound, const char *what, size_t k)
{
    if (!(fabs(found - expected) <= bound))
        ck_abort_msg("%s of number %zu: %.9g, expected %.9g", what, k, found, expected);
}

/* Float32 rounds a weight once per update, and m and v as often, but those forget. The bounds are
 * a few roundings for each update. */
static void assert_agrees(const OptimizerState *state, const Scalar *scalars, int updates)
{
    const double rounding = FLT_EPSILON * (4 + updates);
    for (size_t k = 0; k < state->size; k++) {
        const Scalar *s = &scalars[k];
        assert_near(state->weights[k], s->weight, rounding * fmax(1, fabs(s->weight)), "weight", k);
        assert_near(state->ema[k], s->ema, rounding * fmax(1, fabs(s->ema)), "average", k);
        /* m forgets at 0.9 a step, and cancels; its size is that of the gradients it is made of. */
        double size = sqrt(s->second * 1000);
        assert_near(state->first_moment[k], s->first, 8 * FLT_EPSILON * size, "first moment", k);
        assert_near(state->second_moment[k], s->second, rounding * s->second, "second moment", k);
    }
}

static void compare(size_t size, const OptimizerSettings *settings, int updates)
{
    omp_set_num_threads(1); /* threads have a test of their own */
    OptimizerState state = make_state(size);
    Scalar *scalars = memory_small(size, sizeof *scalars);
    for (size_t k = 0; k < size; k++)
        scalars[k] = (Scalar){.weight = state.weights[k], .ema = state.ema[k]};
    for (int i = 1; i <= updates; i++) {
        draw_gradients(&state, i);
        double rate =
            i < settings->warmup ? settings->lr * i / (double)settings->warmup : settings->lr;
        update_scalars(scalars, &state, settings, i, rate);
        optimizer_update(&state, settings, i, optimizer_gradient_norm(state.gradients, size));
        assert_agrees(&state, scalars, i);
    }
    memory_free(scalars);
    optimizer_state_free(&state);
}

START_TEST(adam_agrees_without_clipping)
{
    compare(LARGE, &(OptimizerSettings){.lr = 1e-3, .ema = 0.999}, 6);
    for (size_t size = 1; size < 40; size++)
        compare(size, &(OptimizerSettings){.lr = 1e-2, .ema = 0.9999}, UPDATES);
}
END_TEST

START_TEST(adam_agrees_with_warmup_clipping_and_average)
{
    /* Norms are near 86 in the large set, 1 to 2 in the small: clipped always, and now and then. */
    const OptimizerSettings settings = {.lr = 1e-3, .warmup = 12, .grad_clip = 1.5, .ema = 0.75};
    compare(LARGE, &settings, 6);
    for (size_t size = 1; size < 40; size++)
        compare(size, &settings, UPDATES);
}
END_TEST

/* -- Its parts -------------------------------------------------------------------------------- */

START_TEST(learning_rate_warms_up)
{
    const OptimizerSettings settings = {.lr = 0.5, .warmup = 4};
    static const double expected[] = {0.125, 0.25, 0.375, 0.5, 0.5, 0.5};
    for (int i = 1; i <= 6; i++)
        ck_assert_double_eq(optimizer_learning_rate(&settings, i), expected[i - 1]);
    ck_assert_double_eq(optimizer_learning_rate(&settings, 1000000000), 0.5);

    const OptimizerSettings none = {.lr = 0.25};
    ck_assert_double_eq(optimizer_learning_rate(&none, 1), 0.25);
}
END_TEST

/* The first moment after one update is a tenth of the gradient that Adam saw. */
static float seen_gradient(double clip, float gradient)
{
    OptimizerState state = make_state(2);
    state.gradients[0] = gradient;
    state.gradients[1] = -gradient;
    const OptimizerSettings settings = {.lr = 1e-3, .ema = 0.9, .grad_clip = clip};
    optimizer_update(&state, &settings, 1, optimizer_gradient_norm(state.gradients, 2));
    float seen = 10 * state.first_moment[0];
    ck_assert_float_eq(state.first_moment[1], -state.first_moment[0]);
    optimizer_state_free(&state);
    return seen;
}

START_TEST(clipping_acts_above_the_limit_only)
{
    const float inside = 0.7f; /* a norm of 0.99 */
    ck_assert_float_eq_tol(seen_gradient(1.0, inside), inside, 1e-6f);
    ck_assert_float_eq_tol(seen_gradient(1.0, 30), sqrtf(0.5f), 1e-6f);
    ck_assert_float_eq_tol(seen_gradient(5.0, 30), 5 * sqrtf(0.5f), 5e-6f);
    ck_assert_float_eq_tol(seen_gradient(0.0, 30), 30, 3e-5f); /* 0 is off */

    /* However large they are, as long as they are numbers. */
    ck_assert_float_eq_tol(seen_gradient(1.0, 1e38f), sqrtf(0.5f), 2e-6f);
}
END_TEST

/* Weights at rest: the average alone moves, at rate min(ema, (1 + i)/(10 + i)). */
START_TEST(average_has_the_rate_of_its_update)
{
    const OptimizerSettings settings = {.lr = 1e-3, .ema = 0.75};
    static const int updates[] = {1, 2, 8, 25, 26, 27, 100, 1000000};
    static const double rates[] = {2.0 / 11, 3.0 / 12, 9.0 / 18, 26.0 / 35, 0.75, 0.75, 0.75, 0.75};
    OptimizerState state = make_state(1);
    for (int k = 0; k < 8; k++) {
        state.weights[0] = 0.0f;
        state.ema[0] = 1.0f;
        optimizer_update(&state, &settings, updates[k], 0.0);
        ck_assert_float_eq(state.weights[0], 0.0f);
        ck_assert_double_eq_tol(state.ema[0], rates[k], 1e-7);
    }
    optimizer_state_free(&state);
}
END_TEST

START_TEST(norm_is_the_sum_in_double)
{
    static const size_t sizes[] = {0, 1, 2, 3, 17, 32767, 32768, 32769, 65536, LARGE};
    float *values = array(LARGE);
    random_normal((RandomKey){.seed = 4}, values, LARGE);
    values[0] = 1e5f; /* a float sum would lose the others */
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        double squares = 0;
        for (size_t k = 0; k < sizes[s]; k++)
            squares += (double)values[k] * values[k];
        double norm = optimizer_gradient_norm(values, sizes[s]);
        ck_assert_msg(fabs(norm - sqrt(squares)) <= 1e-13 * norm, "size %zu: %.17g, expected %.17g",
                      sizes[s], norm, sqrt(squares));
    }

    /* Squares that no float can hold. */
    for (size_t k = 0; k < LARGE; k++)
        values[k] = 3e38f;
    ck_assert_double_eq_tol(optimizer_gradient_norm(values, LARGE) / (3e38 * sqrt(LARGE)), 1, 1e-7);
    for (size_t k = 0; k < LARGE; k++)
        values[k] = 1e-30f;
    ck_assert_double_eq_tol(optimizer_gradient_norm(values, LARGE) / (1e-30 * sqrt(LARGE)), 1,
                            1e-7);
    memory_free(values);
}
END_TEST

START_TEST(norm_of_no_numbers_is_none)
{
    static const size_t places[] = {0, 1, 15, 16, 32767, 32768, 40000, 65536, LARGE - 1};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float *values = array(LARGE);
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (int b = 0; b < 3; b++) {
            values[places[p]] = bad[b];
            ck_assert_msg(!isfinite(optimizer_gradient_norm(values, LARGE)), "%g at %zu is missed",
                          (double)bad[b], places[p]);
            values[places[p]] = 0.0f;
        }
    ck_assert_double_eq(optimizer_gradient_norm(values, LARGE), 0.0);
    memory_free(values);
}
END_TEST

/* -- Threads ---------------------------------------------------------------------------------- */

static void run_with_threads(int threads, OptimizerState *state, double norms[UPDATES])
{
    const OptimizerSettings settings = {.lr = 1e-3, .warmup = 3, .grad_clip = 1.5, .ema = 0.99};
    omp_set_num_threads(threads);
    *state = make_state(LARGE);
    for (int i = 1; i <= 5; i++) {
        draw_gradients(state, i);
        norms[i] = optimizer_gradient_norm(state->gradients, LARGE);
        optimizer_update(state, &settings, i, norms[i]);
    }
}

START_TEST(threads_make_no_difference)
{
    OptimizerState one, many;
    double norms[UPDATES] = {0}, norms_many[UPDATES] = {0};
    const size_t bytes = LARGE * sizeof(float);
    run_with_threads(1, &one, norms);
    for (int threads = 2; threads <= 7; threads += 1 + threads / 2) {
        run_with_threads(threads, &many, norms_many);
        ck_assert_int_eq(memcmp(norms, norms_many, sizeof norms), 0);
        ck_assert_int_eq(memcmp(one.weights, many.weights, bytes), 0);
        ck_assert_int_eq(memcmp(one.ema, many.ema, bytes), 0);
        ck_assert_int_eq(memcmp(one.first_moment, many.first_moment, bytes), 0);
        ck_assert_int_eq(memcmp(one.second_moment, many.second_moment, bytes), 0);
        optimizer_state_free(&many);
    }
    optimizer_state_free(&one);
}
END_TEST

/* Over so many blocks that the order of their sums shows in the last digits. */
START_TEST(threads_make_no_difference_to_a_norm)
{
    enum { MANY = 48 * 32768 + 11 };
    float *values = array(MANY);
    random_normal((RandomKey){.seed = 5}, values, MANY);
    for (int trial = 0; trial < 8; trial++) {
        size_t size = MANY - 40000 * (size_t)trial;
        omp_set_num_threads(1);
        double norm = optimizer_gradient_norm(values, size);
        for (int threads = 2; threads <= 7; threads++) {
            omp_set_num_threads(threads);
            double again = optimizer_gradient_norm(values, size);
            ck_assert_msg(again == norm, "%d threads: %.17g, one: %.17g", threads, again, norm);
        }
    }
    memory_free(values);
}
END_TEST

/* Processes that share a state update a slice each (train/shard.h): the bits are those of a whole. */
START_TEST(slices_make_no_difference)
{
    const OptimizerSettings settings = {.lr = 1e-3, .warmup = 3, .grad_clip = 1.5, .ema = 0.99};
    const size_t starts[] = {0, 64, 30016, 40000, 65600, LARGE};
    OptimizerState whole, sliced = make_state(LARGE);
    double norms[UPDATES] = {0};
    run_with_threads(1, &whole, norms);
    for (int i = 1; i <= 5; i++) {
        draw_gradients(&sliced, i);
        for (int k = 0; k < 5; k++) {
            const size_t at = starts[k];
            const OptimizerState slice = {.size = starts[k + 1] - at,
                                          .weights = sliced.weights + at,
                                          .ema = sliced.ema + at,
                                          .first_moment = sliced.first_moment + at,
                                          .second_moment = sliced.second_moment + at,
                                          .gradients = sliced.gradients + at};
            optimizer_update(&slice, &settings, i, norms[i]);
        }
    }
    const size_t bytes = LARGE * sizeof(float);
    ck_assert_int_eq(memcmp(whole.weights, sliced.weights, bytes), 0);
    ck_assert_int_eq(memcmp(whole.ema, sliced.ema, bytes), 0);
    ck_assert_int_eq(memcmp(whole.first_moment, sliced.first_moment, bytes), 0);
    ck_assert_int_eq(memcmp(whole.second_moment, sliced.second_moment, bytes), 0);
    optimizer_state_free(&whole);
    optimizer_state_free(&sliced);
}
END_TEST

START_TEST(a_state_in_part_begins_with_its_part)
{
    ParamSet params;
    OptimizerState state;
    Error error = {0};
    params_init(&params);
    params_add(&params, "a", 2, (int[]){5, 3}, PARAM_UNIFORM_FAN_IN, 3);
    ck_assert(optimizer_state_make_part(&state, &params, 9, 7, 4, "x", &error));
    ck_assert_uint_eq(state.size, 15);
    ck_assert_mem_eq(state.ema, state.weights + 7, 4 * sizeof(float));
    ck_assert(state.first_moment[3] == 0 && state.second_moment[3] == 0);
    optimizer_state_free(&state);
    params_free(&params);
}
END_TEST

START_TEST(a_state_begins_with_its_first_weights)
{
    ParamSet params;
    Error error = {0};
    params_init(&params);
    params_add(&params, "a", 2, (int[]){5, 3}, PARAM_UNIFORM_FAN_IN, 3);
    params_add(&params, "b", 1, (int[]){5}, PARAM_ONE, 0);
    float *expected = array(params.size);
    params_initialise(&params, 9, expected);
    for (int fixed = 0; fixed < 2; fixed++) {
        OptimizerState state;
        ck_assert(fixed ? optimizer_state_make_fixed(&state, &params, 9, "x", &error)
                        : optimizer_state_make(&state, &params, 9, "x", &error));
        ck_assert_uint_eq(state.size, 20);
        ck_assert_mem_eq(state.weights, expected, 20 * sizeof(float));
        ck_assert_mem_eq(state.ema, expected, 20 * sizeof(float));
        ck_assert((state.first_moment == NULL) == fixed && (state.gradients == NULL) == fixed);
        for (int i = 0; !fixed && i < 20; i++)
            ck_assert(state.first_moment[i] == 0 && state.second_moment[i] == 0);
        optimizer_state_free(&state);
        ck_assert_ptr_null(state.weights);
    }
    memory_free(expected);
    params_free(&params);
}
END_TEST

SUITE_MAIN("optimizer", a_state_begins_with_its_first_weights, a_state_in_part_begins_with_its_part,
           slices_make_no_difference, yardstick_is_pytorch, adam_agrees_without_clipping,
           adam_agrees_with_warmup_clipping_and_average, learning_rate_warms_up,
           clipping_acts_above_the_limit_only, average_has_the_rate_of_its_update,
           norm_is_the_sum_in_double, norm_of_no_numbers_is_none, threads_make_no_difference,
           threads_make_no_difference_to_a_norm)
