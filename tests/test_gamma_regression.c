/* Tests of gamma regression: weights of an independent implementation, slopes that vanish at the
 * minimum, monotone descent, hard and singular problems, and equal bits for any number of
 * threads. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "stats/gamma_regression.h"
#include "tests/expect.h"
#include "tests/golden.h"

#include <math.h>
#include <omp.h>

static Error error; /* of the last call */

#define GOLDEN_A "tests/golden/golden_a_variances.h5"

/* -- Golden rows ------------------------------------------------------------------------------ */

START_TEST(weights_are_those_of_an_independent_implementation)
{
    const char *file = GOLDEN_A;
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    double *phi = golden_doubles(file, "nll/rows/phi", &rank, dims);
    const size_t rows = (size_t)dims[0], features = (size_t)dims[1];
    double *all = golden_doubles(file, "nll/rows/r", &rank, dims);
    const size_t channels = (size_t)dims[1];
    double *penalty = golden_doubles(file, "nll/rows/penalty", &rank, dims);
    double *expected = golden_doubles(file, "nll/rows/w", &rank, dims);
    double *loss = golden_doubles(file, "nll/rows/loss", &rank, dims);
    double *objective = golden_doubles(file, "nll/rows/objective", &rank, dims);
    double *constant = golden_doubles(file, "nll/rows/loss_constant", &rank, dims);
    const GammaMatrix matrix = {.rows = rows, .features = (int)features, .phi = phi};
    const GammaRows lines = gamma_matrix_rows(&matrix);
    double *fisher = memory_small(features * (features + 1) / 2, sizeof(double));
    double *w = memory_small(features, sizeof *w), *r = memory_small(rows, sizeof *r);
    gamma_matrix_fisher(&matrix, fisher);
    for (size_t i = 0; i + 1 < features; i++)
        ck_assert_double_eq_tol(penalty[i], 1e-3 * fisher[i * (i + 1) / 2 + i], 1e-6 * penalty[i]);
    for (size_t c = 0; c < channels; c++) {
        const GammaProblem problem = {
            .rows = &lines, .r = r, .fisher = fisher, .ridge = 1e-3, .tolerance = 1e-13};
        GammaFit fit;
        double value, largest = 0, off = 0;
        for (size_t i = 0; i < rows; i++)
            r[i] = all[i * channels + c];
        gamma_regression_constant(&lines, r, w);
        assert_ok(gamma_regression_loss(&lines, r, NULL, w, &value, &error));
        ck_assert_double_eq_tol(value, constant[c], 1e-7);
        assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
        ck_assert(fit.converged);
        for (size_t j = 0; j < features; j++) {
            largest = larger(largest, fabs(expected[c * features + j]));
            off = larger(off, fabs(w[j] - expected[c * features + j]));
        }
        ck_assert_msg(off < 1e-5 * largest, "channel %zu: off by %g of %g", c, off, largest);
        ck_assert_double_eq_tol(fit.loss, loss[c], 1e-6 * fabs(loss[c]));
        ck_assert_double_eq_tol(fit.objective, objective[c], 1e-6 * fabs(objective[c]));
        ck_assert_msg(fit.steps <= 30, "%d steps, %d products", fit.steps, fit.products);
        assert_ok(gamma_regression_loss(&lines, r, NULL, w, &value, &error));
        ck_assert_double_eq_tol(value, fit.loss, 1e-10);
    }
    double *const arrays[] = {phi, all, penalty, expected, loss, objective, constant};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    memory_free(fisher);
    memory_free(w);
    memory_free(r);
}
END_TEST

/* -- Drawn problems --------------------------------------------------------------------------- */

enum { FEATURES = 8, ROWS = 3000 };

typedef struct Drawn {
    GammaMatrix matrix;
    GammaRows rows;
    double phi[ROWS * FEATURES], r[ROWS], truth[FEATURES], fisher[FEATURES * (FEATURES + 1) / 2];
} Drawn;

/* r = exp(truth phi) z^2. The features have the scale `scale`. */
static Drawn *draw(double scale, uint32_t stream)
{
    Drawn *d = memory_small(1, sizeof *d);
    float *z = memory_small(ROWS * (FEATURES + 1), sizeof *z);
    random_normal((RandomKey){.seed = 6, .purpose = RANDOM_NOISE, .sample = stream}, z,
                  ROWS * (FEATURES + 1));
    for (int j = 0; j < FEATURES; j++)
        d->truth[j] = j + 1 < FEATURES ? 0.3 * (j % 3 - 1) : -2;
    for (int i = 0; i < ROWS; i++) {
        const float *from = z + i * (FEATURES + 1);
        double l = 0;
        for (int j = 0; j < FEATURES; j++) {
            d->phi[i * FEATURES + j] = j + 1 < FEATURES ? scale * (double)from[j] : 1;
            l += d->truth[j] * d->phi[i * FEATURES + j];
        }
        d->r[i] = exp(l) * (double)from[FEATURES] * (double)from[FEATURES];
    }
    d->matrix = (GammaMatrix){.rows = ROWS, .features = FEATURES, .phi = d->phi};
    d->rows = gamma_matrix_rows(&d->matrix);
    gamma_matrix_fisher(&d->matrix, d->fisher);
    memory_free(z);
    return d;
}

static GammaProblem problem_of(const Drawn *d)
{
    return (GammaProblem){
        .rows = &d->rows, .r = d->r, .fisher = d->fisher, .ridge = 1e-8, .tolerance = 1e-12};
}

/* J(w) by plain loops. */
static double objective_of(const GammaProblem *p, const Drawn *d, const double *w)
{
    double sum = 0;
    for (int i = 0; i < ROWS; i++) {
        double l = 0;
        for (int j = 0; j < FEATURES; j++)
            l += w[j] * d->phi[i * FEATURES + j];
        sum += (l + d->r[i] * exp(-l)) / ROWS;
    }
    for (int i = 0; i < FEATURES; i++) {
        sum += i + 1 < FEATURES ? p->ridge / 2 * d->fisher[i * (i + 3) / 2] * w[i] * w[i] : 0;
        for (int j = 0; p->pull > 0 && j < FEATURES; j++) {
            const int a = i > j ? i : j, b = i > j ? j : i;
            sum += p->pull / 2 * d->fisher[a * (a + 1) / 2 + b] * (w[i] - p->center[i]) *
                   (w[j] - p->center[j]);
        }
    }
    return sum;
}

static void ck_is_minimum(const GammaProblem *p, const Drawn *d, const double *w)
{
    double near[FEATURES];
    for (int j = 0; j < FEATURES; j++) {
        const double step = 1e-4 / sqrt(d->fisher[j * (j + 3) / 2]);
        memcpy(near, w, sizeof near);
        near[j] = w[j] + step;
        const double up = objective_of(p, d, near);
        near[j] = w[j] - step;
        const double down = objective_of(p, d, near);
        ck_assert_msg(fabs(up - down) < 3e-9, "weight %d: %g", j, up - down);
    }
}

START_TEST(the_truth_is_found)
{
    Drawn *d = draw(1, 1);
    const GammaProblem problem = problem_of(d);
    GammaFit fit;
    double w[FEATURES] = {0};
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    ck_assert(fit.converged);
    for (int j = 0; j < FEATURES; j++) /* the error of an estimate is sqrt(2 / rows) */
        ck_assert_double_eq_tol(w[j], d->truth[j], 5 * sqrt(2.0 / ROWS));
    ck_is_minimum(&problem, d, w);
    memory_free(d);
}
END_TEST

/* Features of scale 10 spread r over twenty decades, and the first l is far off. */
START_TEST(numbers_over_many_decades_are_fitted)
{
    Drawn *d = draw(10, 2);
    const GammaProblem problem = problem_of(d);
    const double starts[] = {0, -20, 30};
    for (int i = 0; i < 3; i++) {
        GammaFit fit;
        double w[FEATURES] = {0};
        w[FEATURES - 1] = starts[i];
        assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
        ck_assert_msg(fit.converged, "from %g: %d steps", starts[i], fit.steps);
        for (int j = 0; j < FEATURES; j++)
            ck_assert_double_eq_tol(w[j], d->truth[j], 5 * sqrt(2.0 / ROWS));
        ck_is_minimum(&problem, d, w);
    }
    memory_free(d);
}
END_TEST

START_TEST(a_ridge_and_a_pull_are_part_of_the_loss)
{
    Drawn *d = draw(1, 3);
    const double center[FEATURES] = {1, -1, 0.5, 2, 0, 0, 1, -3};
    GammaProblem problem = problem_of(d);
    double w[FEATURES] = {0};
    GammaFit fit;
    problem.ridge = 0.3;
    problem.pull = 0.7;
    problem.center = center;
    problem.matrix = d->fisher;
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    ck_is_minimum(&problem, d, w);
    ck_assert_double_eq_tol(fit.objective, objective_of(&problem, d, w), 1e-12);
    /* A strong pull holds w at its center. */
    problem.ridge = 0;
    problem.pull = 1e9;
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    for (int j = 0; j < FEATURES; j++)
        ck_assert_double_eq_tol(w[j], center[j], 1e-6);
    memory_free(d);
}
END_TEST

/* A weight of 2 is a row twice, and a weight of 0 is no row. */
START_TEST(weights_count_rows)
{
    Drawn *d = draw(1, 8), *twice = draw(1, 8);
    double weight[ROWS], w[FEATURES] = {0}, same[FEATURES] = {0}, loss, loss_twice;
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        weight[i] = (double)(i % 3);
        for (size_t copy = 0; copy < i % 3; copy++, count++) {
            twice->r[count] = d->r[i];
            memcpy(twice->phi + count * FEATURES, d->phi + i * FEATURES, FEATURES * sizeof(double));
        }
    }
    ck_assert_uint_eq(count, ROWS);
    GammaProblem problem = problem_of(d), repeated = problem_of(twice);
    GammaFit fit, fit_twice;
    problem.weight = weight;
    repeated.fisher = d->fisher;
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    assert_ok(gamma_regression_fit(&repeated, same, &fit_twice, &error));
    for (int j = 0; j < FEATURES; j++)
        ck_assert_double_eq_tol(w[j], same[j], 1e-7);
    ck_assert_double_eq_tol(fit.loss, fit_twice.loss, 1e-10);
    assert_ok(gamma_regression_loss(&d->rows, d->r, weight, w, &loss, &error));
    assert_ok(gamma_regression_loss(&twice->rows, twice->r, NULL, w, &loss_twice, &error));
    ck_assert_double_eq_tol(loss, fit.loss, 1e-10);
    ck_assert_double_eq_tol(loss, loss_twice, 1e-10);
    memory_free(d);
    memory_free(twice);
}
END_TEST

/* Every fit that is stopped at a looser tolerance ends higher: the descent is monotone. */
START_TEST(the_loss_falls_with_the_tolerance)
{
    Drawn *d = draw(3, 4);
    GammaProblem problem = problem_of(d);
    double last = INFINITY;
    for (double tolerance = 10; tolerance > 1e-12; tolerance /= 10) {
        double w[FEATURES] = {0};
        GammaFit fit;
        problem.tolerance = tolerance;
        assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
        ck_assert_double_le(fit.objective, last + 1e-14);
        last = fit.objective;
    }
    memory_free(d);
}
END_TEST

/* A feature twice, a feature that is always 0, and r that are all 0 without a minimum. */
START_TEST(singular_problems_are_survived)
{
    Drawn *d = draw(1, 5);
    for (int i = 0; i < ROWS; i++) {
        d->phi[i * FEATURES] = d->phi[i * FEATURES + 1];
        d->phi[i * FEATURES + 2] = 0;
    }
    gamma_matrix_fisher(&d->matrix, d->fisher);
    GammaProblem problem = problem_of(d);
    double w[FEATURES] = {0};
    GammaFit fit;
    problem.ridge = 0;
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    ck_assert(fit.converged);
    ck_assert_double_eq(w[2], 0);
    memset(d->r, 0, sizeof d->r);
    memset(w, 0, sizeof w);
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    for (int j = 0; j < FEATURES; j++)
        ck_assert(isfinite(w[j]));
    memory_free(d);
}
END_TEST

START_TEST(no_rows_and_no_numbers_are_errors)
{
    Drawn *d = draw(1, 6);
    GammaProblem problem = problem_of(d);
    double w[FEATURES] = {0};
    GammaFit fit;
    d->r[17] = NAN;
    assert_fails_as(gamma_regression_fit(&problem, w, &fit, &error), ERROR_RUNTIME, "not finite");
    d->matrix.rows = 0;
    d->rows = gamma_matrix_rows(&d->matrix);
    assert_fails_as(gamma_regression_fit(&problem, w, &fit, &error), ERROR_RUNTIME,
                    "there are no rows");
    memory_free(d);
}
END_TEST

START_TEST(the_fit_does_not_depend_on_threads)
{
    Drawn *d = draw(2, 7);
    const GammaProblem problem = problem_of(d);
    double one[FEATURES] = {0}, three[FEATURES] = {0};
    GammaFit fit;
    omp_set_num_threads(1);
    assert_ok(gamma_regression_fit(&problem, one, &fit, &error));
    omp_set_num_threads(3);
    assert_ok(gamma_regression_fit(&problem, three, &fit, &error));
    ck_assert_mem_eq(one, three, sizeof one);
    memory_free(d);
}
END_TEST

SUITE_MAIN("gamma_regression", weights_are_those_of_an_independent_implementation,
           the_truth_is_found, numbers_over_many_decades_are_fitted,
           a_ridge_and_a_pull_are_part_of_the_loss, weights_count_rows,
           the_loss_falls_with_the_tolerance, singular_problems_are_survived,
           no_rows_and_no_numbers_are_errors, the_fit_does_not_depend_on_threads)
