/* Tests of least squares from sums, on observations that are made from known weights. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "stats/least_squares.h"
#include "stats/shrinkage.h"
#include "tests/expect.h"

#include <math.h>

static Error error; /* of the last call */

enum { FEATURES = 12, TARGETS = 4, MANY = 400 };

/* Observations: phi [count, FEATURES], whose last element is 1, and y [count, TARGETS]. */
typedef struct Sample {
    int count;
    double *phi, *y;
} Sample;

static void free_sample(Sample *sample)
{
    memory_free(sample->phi);
    memory_free(sample->y);
}

/* Numbers of stream `stream`, around a mean that is not zero. */
static void draw(double *values, size_t count, uint32_t stream)
{
    float *normal = memory_small(count, sizeof *normal);
    random_normal((RandomKey){.seed = 5, .purpose = RANDOM_NOISE, .sample = stream}, normal, count);
    for (size_t i = 0; i < count; i++)
        values[i] = 0.4 + (double)normal[i];
    memory_free(normal);
}

static double product(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < FEATURES; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y = truth phi + noise; truth [TARGETS, FEATURES]. */
static Sample make_sample(int count, const double *truth, double noise, uint32_t stream)
{
    Sample s = {.count = count,
                .phi = memory_small((size_t)(count * FEATURES), sizeof(double)),
                .y = memory_small((size_t)(count * TARGETS), sizeof(double))};
    draw(s.phi, (size_t)(count * FEATURES), stream);
    draw(s.y, (size_t)(count * TARGETS), stream + 1);
    for (int i = 0; i < count; i++) {
        s.phi[i * FEATURES + FEATURES - 1] = 1;
        for (int k = 0; k < TARGETS; k++)
            s.y[i * TARGETS + k] = product(truth + k * FEATURES, s.phi + i * FEATURES) +
                                   noise * (s.y[i * TARGETS + k] - 0.4);
    }
    return s;
}

static NormalSums sums_of(const Sample *s)
{
    NormalSums sums = normal_sums_at(
        memory_small(normal_sums_size(FEATURES, TARGETS), sizeof(double)), FEATURES, TARGETS);
    for (int n = 0; n < s->count; n++) {
        const double *phi = s->phi + n * FEATURES, *y = s->y + n * TARGETS;
        double *products = sums.products;
        for (int i = 0; i < FEATURES; i++)
            for (int j = 0; j <= i; j++)
                *products++ += phi[i] * phi[j];
        for (int k = 0; k < TARGETS; k++) {
            sums.squares[k] += y[k] * y[k];
            for (int i = 0; i < FEATURES; i++)
                sums.moments[k * FEATURES + i] += y[k] * phi[i];
        }
    }
    *sums.count = s->count;
    return sums;
}

static double direct_loss(const Sample *s, int target, const double *w)
{
    double sum = 0;
    for (int n = 0; n < s->count; n++)
        sum += pow(s->y[n * TARGETS + target] - product(w, s->phi + n * FEATURES), 2);
    return sum / s->count;
}

static const Shrinkage plain = {0};

START_TEST(a_linear_truth_is_recovered)
{
    double truth[TARGETS * FEATURES], w[TARGETS * FEATURES], ridge = -1;
    draw(truth, TARGETS * FEATURES, 1);
    Sample sample = make_sample(MANY, truth, 0, 2);
    NormalSums sums = sums_of(&sample);
    assert_ok(least_squares_solve(&sums, NULL, plain, w, &ridge, &error));
    ck_assert(ridge == 0);
    for (int i = 0; i < TARGETS * FEATURES; i++)
        ck_assert_msg(fabs(w[i] - truth[i]) < 1e-12, "w[%d]: %.17g, not %.17g", i, w[i], truth[i]);
    memory_free(sums.products);
    free_sample(&sample);
}
END_TEST

/* At the minimum the gradient is zero: residuals are orthogonal to every feature. And the sums know the loss of
 * any weights. */
START_TEST(the_loss_is_minimal_and_known_from_the_sums)
{
    double truth[TARGETS * FEATURES], w[TARGETS * FEATURES];
    draw(truth, TARGETS * FEATURES, 1);
    Sample sample = make_sample(MANY, truth, 0.7, 2);
    NormalSums sums = sums_of(&sample);
    assert_ok(least_squares_solve(&sums, NULL, plain, w, NULL, &error));
    for (int k = 0; k < TARGETS; k++) {
        double *of_k = w + k * FEATURES;
        const double least = direct_loss(&sample, k, of_k);
        ck_assert_double_eq_tol(normal_sums_loss(&sums, k, of_k), least, 1e-12);
        for (int i = 0; i < FEATURES; i++) {
            double gradient = 0;
            for (int n = 0; n < MANY; n++)
                gradient += (sample.y[n * TARGETS + k] - product(of_k, sample.phi + n * FEATURES)) *
                            sample.phi[n * FEATURES + i];
            ck_assert_msg(fabs(gradient) < 1e-10, "gradient %g", gradient);
            of_k[i] += 0.01;
            ck_assert(direct_loss(&sample, k, of_k) > least);
            ck_assert_double_eq_tol(normal_sums_loss(&sums, k, of_k), direct_loss(&sample, k, of_k),
                                    1e-12);
            of_k[i] -= 0.01;
        }
    }
    memory_free(sums.products);
    free_sample(&sample);
}
END_TEST

/* The ridge of a few features, compared with the formula written out: (G + ridge diag G) w = r. */
START_TEST(a_ridge_is_in_units_of_the_diagonal)
{
    double truth[TARGETS * FEATURES], w[TARGETS * FEATURES], used = 0;
    const double ridge = 0.3;
    draw(truth, TARGETS * FEATURES, 1);
    Sample sample = make_sample(MANY, truth, 0.7, 2);
    NormalSums sums = sums_of(&sample);
    assert_ok(least_squares_solve(&sums, NULL, (Shrinkage){.ridge = ridge}, w, &used, &error));
    ck_assert(used == ridge);
    for (int i = 0; i < FEATURES; i++) {
        double left = 0;
        for (int j = 0; j < FEATURES; j++) {
            const size_t high = (size_t)(i > j ? i : j), low = (size_t)(i > j ? j : i);
            double g = sums.products[high * (high + 1) / 2 + low];
            left += (i == j && i < FEATURES - 1 ? 1 + ridge : 1) * g * w[j];
        }
        ck_assert_double_eq_tol(left, sums.moments[i], 1e-9);
    }
    memory_free(sums.products);
    free_sample(&sample);
}
END_TEST

/* Two features that are the same, one that is always zero, and more features than observations. */
START_TEST(singular_systems_are_solved)
{
    double truth[TARGETS * FEATURES], w[TARGETS * FEATURES];
    draw(truth, TARGETS * FEATURES, 1);
    for (int few = 0; few < 2; few++) {
        Sample sample = make_sample(few ? FEATURES / 2 : MANY, truth, few ? 0 : 0.1, 2);
        for (int n = 0; n < sample.count; n++) {
            sample.phi[n * FEATURES + 3] = sample.phi[n * FEATURES + 5];
            sample.phi[n * FEATURES + 7] = 0;
        }
        NormalSums sums = sums_of(&sample);
        double ridge = -1;
        assert_ok(least_squares_solve(&sums, NULL, plain, w, &ridge, &error));
        ck_assert(ridge > 0 && ridge < 1e-6);
        for (int i = 0; i < TARGETS * FEATURES; i++)
            ck_assert(isfinite(w[i]) && fabs(w[i]) < 100);
        ck_assert(w[7] == 0);
        ck_assert_double_eq_tol(w[3], w[5], 1e-4);
        memory_free(sums.products);
        free_sample(&sample);
    }
}
END_TEST

START_TEST(what_cannot_be_solved_is_an_error)
{
    double w[TARGETS * FEATURES] = {0};
    Sample nothing = {0}, sample = make_sample(MANY, w, 0, 2);
    for (int i = 0; i < MANY * TARGETS; i++)
        sample.y[i] = 1;
    NormalSums sums = sums_of(&nothing);
    assert_fails_as(least_squares_solve(&sums, NULL, plain, w, NULL, &error), ERROR_RUNTIME,
                    "no observations");
    memory_free(sums.products);
    sample.phi[FEATURES] = NAN;
    sums = sums_of(&sample);
    assert_fails_as(least_squares_solve(&sums, NULL, plain, w, NULL, &error), ERROR_RUNTIME,
                    "not finite");
    memory_free(sums.products);
    free_sample(&sample);
}
END_TEST

/* A NaN anywhere in the sums, fitted or held out, is an error; never a weight. */
START_TEST(sums_that_are_no_numbers_are_an_error)
{
    double truth[TARGETS * FEATURES], w[TARGETS * FEATURES];
    Shrinkage chosen[2];
    draw(truth, TARGETS * FEATURES, 1);
    Sample sample = make_sample(MANY, truth, 0.1, 2), other = make_sample(MANY, truth, 0.1, 4);
    NormalSums own = sums_of(&sample), held = sums_of(&other);
    double *const fitted[] = {&own.products[0], &own.products[4], &own.moments[3],
                              &own.moments[FEATURES]};
    for (int k = 0; k < 4; k++) {
        const double kept = *fitted[k];
        *fitted[k] = k % 2 ? NAN : INFINITY;
        assert_fails_as(least_squares_solve(&own, NULL, plain, w, NULL, &error), ERROR_RUNTIME,
                        "not finite");
        assert_fails_as(shrinkage_fit(&own, NULL, &held, TARGETS / 2, -1, chosen, w, &error),
                        ERROR_RUNTIME, "not finite");
        *fitted[k] = kept;
    }
    double *const judged[] = {&held.products[4], &held.moments[3], &held.squares[TARGETS - 1]};
    for (int k = 0; k < 3; k++) {
        const double kept = *judged[k];
        *judged[k] = NAN;
        assert_fails_as(shrinkage_fit(&own, NULL, &held, TARGETS / 2, -1, chosen, w, &error),
                        ERROR_RUNTIME, "not finite");
        *judged[k] = kept;
    }
    assert_ok(shrinkage_fit(&own, NULL, &held, TARGETS / 2, -1, chosen, w, &error));
    memory_free(own.products);
    memory_free(held.products);
    free_sample(&sample);
    free_sample(&other);
}
END_TEST

/* -- Borrowing -------------------------------------------------------------------------------- */

static double distance(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < TARGETS * FEATURES; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

/* All that is borrowed is all: the weights of everything together. Between the two ends w moves over. */
START_TEST(borrowing_moves_toward_all)
{
    double truth[TARGETS * FEATURES], other[TARGETS * FEATURES], w[TARGETS * FEATURES],
        pooled[TARGETS * FEATURES];
    draw(truth, TARGETS * FEATURES, 1);
    draw(other, TARGETS * FEATURES, 7);
    Sample a = make_sample(MANY, truth, 0, 2), b = make_sample(3 * MANY, other, 0, 4);
    NormalSums own = sums_of(&a), all = sums_of(&b);
    assert_ok(least_squares_solve(&all, NULL, plain, pooled, NULL, &error));
    double last = INFINITY;
    for (int i = 0; i <= 4; i++) {
        assert_ok(
            least_squares_solve(&own, &all, (Shrinkage){.borrow = 0.25 * i}, w, NULL, &error));
        ck_assert(distance(w, pooled) < last);
        last = distance(w, pooled);
    }
    ck_assert(last < 1e-10);
    memory_free(own.products);
    memory_free(all.products);
    free_sample(&a);
    free_sample(&b);
}
END_TEST

/* A bin with little and noisy data of the same truth as all borrows, and gains by it; one whose truth is
 * another does not. */
START_TEST(held_out_observations_decide)
{
    double truth[TARGETS * FEATURES], other[TARGETS * FEATURES], w[TARGETS * FEATURES],
        alone[TARGETS * FEATURES];
    Shrinkage chosen[2];
    draw(truth, TARGETS * FEATURES, 1);
    draw(other, TARGETS * FEATURES, 7);
    Sample few = make_sample(FEATURES + 4, truth, 1, 20), rest = make_sample(9 * MANY, truth, 1, 4),
           held = make_sample(MANY, truth, 1, 8), strange = make_sample(MANY, other, 0.01, 10),
           strange_held = make_sample(MANY, other, 0.01, 12);
    NormalSums own = sums_of(&few), all = sums_of(&rest), out = sums_of(&held);
    normal_sums_add(&all, &own);
    assert_ok(shrinkage_fit(&own, &all, &out, TARGETS / 2, -1, chosen, w, &error));
    assert_ok(least_squares_solve(&own, NULL, plain, alone, NULL, &error));
    ck_assert(chosen[0].borrow >= 0.1 && chosen[1].borrow >= 0.1);
    ck_assert(distance(w, truth) < 0.5 * distance(alone, truth));

    NormalSums own2 = sums_of(&strange), out2 = sums_of(&strange_held);
    assert_ok(shrinkage_fit(&own2, &all, &out2, TARGETS / 2, -1, chosen, w, &error));
    ck_assert(chosen[0].borrow == 0 && chosen[1].borrow == 0);
    ck_assert(distance(w, other) < 0.05);

    /* Nothing held out, one bin alone, and a ridge that is given. */
    NormalSums none = sums_of(&(Sample){0});
    assert_ok(shrinkage_fit(&own, NULL, &none, TARGETS / 2, 0.25, chosen, w, &error));
    ck_assert(chosen[1].borrow == 0 && chosen[1].ridge == 0.25);
    assert_ok(shrinkage_fit(&own, &all, &none, TARGETS, -1, chosen, w, &error));
    ck_assert(chosen[0].borrow > 0 && chosen[0].ridge > 0);
    assert_ok(shrinkage_fit(&own, NULL, &out, TARGETS, 0.25, chosen, w, &error));
    ck_assert(chosen[0].borrow == 0 && chosen[0].ridge == 0.25);

    NormalSums *const sums[] = {&own, &all, &out, &own2, &out2, &none};
    Sample *const samples[] = {&few, &rest, &held, &strange, &strange_held};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        memory_free(sums[i]->products);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        free_sample(samples[i]);
}
END_TEST

SUITE_MAIN("least squares", a_linear_truth_is_recovered,
           the_loss_is_minimal_and_known_from_the_sums, a_ridge_is_in_units_of_the_diagonal,
           singular_systems_are_solved, what_cannot_be_solved_is_an_error,
           sums_that_are_no_numbers_are_an_error, borrowing_moves_toward_all,
           held_out_observations_decide)
