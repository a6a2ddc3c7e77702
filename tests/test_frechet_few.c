/* Tests of the Frechet distance of few points: against the way by covariances, and against closed
 * forms, in as many dimensions as Inception's features have. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "stats/frechet.h"
#include "stats/frechet_few.h"
#include "tests/expect.h"

static Error error; /* of the last call */

enum { COLUMNS = 6 };

/* Points whose coordinates are mixed by a random matrix, and their resamples; the caller frees. */
static Points random_points(int count, int dims, uint32_t stream)
{
    const size_t n = (size_t)count, d = (size_t)dims;
    const RandomKey key = {.seed = 5, .purpose = RANDOM_NOISE, .sample = stream};
    float *values = memory_small(n * d, sizeof *values);
    uint8_t *weights = memory_small(n * COLUMNS, 1);
    random_normal(key, values, n * d);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++)
            values[i * d + k] = 3 + 0.1f * (float)stream + values[i * d + k] / (float)(k + 1) +
                                0.5f * values[i * d + (k + 1) % d];
    resample_draw(11, stream, count, COLUMNS - 1, weights);
    return (Points){
        .values = values, .weights = weights, .count = count, .dims = dims, .columns = COLUMNS};
}

static void free_points(Points *points)
{
    memory_free((float *)points->values);
    memory_free((uint8_t *)points->weights);
}

static void check_against_covariances(int count_x, int count_y, int dims)
{
    Points x = random_points(count_x, dims, 1), y = random_points(count_y, dims, 2);
    Gaussians a, b;
    double few[COLUMNS], want[COLUMNS];
    assert_ok(gaussians_fit(&a, &x, &error) && gaussians_fit(&b, &y, &error));
    assert_ok(frechet_distance(&a, &b, want, &error));
    assert_ok(frechet_few(&x, &y, few, &error));
    for (int c = 0; c < COLUMNS; c++) /* roots of rounding errors are in `want` */
        ck_assert_msg(fabs(few[c] - want[c]) < 2e-6 * want[c],
                      "%d and %d points of %d dimensions, column %d: %.12g, not %.12g", count_x,
                      count_y, dims, c, few[c], want[c]);
    gaussians_free(&a);
    gaussians_free(&b);
    free_points(&x);
    free_points(&y);
}

START_TEST(both_ways_agree)
{
    check_against_covariances(30, 25, 60);
    check_against_covariances(25, 40, 30);
    check_against_covariances(70, 50, 6);
    check_against_covariances(2, 5, 70);
}
END_TEST

/* Points at centre +- reach[k] along axis k: their mean is the centre, and their covariance is
 * diagonal, 2 reach[k]^2 / (2 axes - 1) on the first `axes`. */
static Points axis_points(int axes, int dims, float centre, float reach, float growth)
{
    const size_t d = (size_t)dims;
    float *values = memory_small(2 * (size_t)axes * d, sizeof *values);
    uint8_t *weights = memory_small(2 * (size_t)axes, 1);
    for (int i = 0; i < 2 * axes; i++) {
        for (size_t k = 0; k < d; k++)
            values[(size_t)i * d + k] = centre;
        values[(size_t)i * d + (size_t)i / 2] +=
            (i % 2 ? -1.0f : 1.0f) * (reach + growth * (float)(i / 2));
        weights[i] = 1;
    }
    return (Points){
        .values = values, .weights = weights, .count = 2 * axes, .dims = dims, .columns = 1};
}

/* x spans 20 axes and y 30. Where only y has a variance its trace counts alone. */
START_TEST(known_gaussians_have_their_distance)
{
    enum { DIMS = 2048, X = 20, Y = 30 };
    Points x = axis_points(X, DIMS, 0.5f, 1, 0.25f), y = axis_points(Y, DIMS, 0.25f, 2, 0.125f);
    double distance, want = DIMS * 0.25 * 0.25;
    for (int k = 0; k < Y; k++) {
        const double sigma = k < X ? (1 + 0.25 * k) * sqrt(2.0 / (2 * X - 1)) : 0;
        const double tau = (2 + 0.125 * k) * sqrt(2.0 / (2 * Y - 1));
        want += (sigma - tau) * (sigma - tau);
    }
    assert_ok(frechet_few(&x, &y, &distance, &error));
    ck_assert_double_eq_tol(distance, want, 1e-9 * want);
    assert_ok(frechet_few(&y, &x, &distance, &error));
    ck_assert_double_eq_tol(distance, want, 1e-9 * want);
    assert_ok(frechet_few(&x, &x, &distance, &error));
    ck_assert_double_eq_tol(distance, 0, 1e-9 * want);
    free_points(&x);
    free_points(&y);
}
END_TEST

START_TEST(a_number_that_is_not_finite_is_an_error)
{
    Points x = random_points(5, 8, 1), y = random_points(5, 8, 2);
    double distance[COLUMNS];
    ((float *)x.values)[17] = NAN;
    ck_assert(!frechet_few(&x, &y, distance, &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    ck_assert_ptr_nonnull(strstr(error.message, "are not finite"));
    free_points(&x);
    free_points(&y);
}
END_TEST

SUITE_MAIN("frechet_few", both_ways_agree, known_gaussians_have_their_distance,
           a_number_that_is_not_finite_is_an_error)
