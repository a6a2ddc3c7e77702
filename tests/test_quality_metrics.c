/* Tests of distances between sets of points: against numpy and scipy, against closed forms, and for
 * independence of threads, shifts and the number of resamples. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "stats/frechet.h"
#include "stats/kernel_distance.h"
#include "stats/manifold.h"
#include "stats/sliced.h"
#include "tests/expect.h"
#include "tests/golden.h"

#include <omp.h>
#include <sys/resource.h>

static Error error; /* of the last call */

#define GOLDEN "tests/golden/quality.h5"

enum { MAX_COLUMNS = 512 };

static const uint8_t once[1024] = {[0 ... 1023] = 1};

/* Points that count once each. */
static Points plain(const float *values, int count, int dims)
{
    return (Points){.values = values, .weights = once, .count = count, .dims = dims, .columns = 1};
}

static float *normals(int count, int dims, uint32_t stream)
{
    float *values = memory_small((size_t)(count * dims), sizeof *values);
    random_normal((RandomKey){.seed = 3, .purpose = RANDOM_NOISE, .sample = stream}, values,
                  (size_t)(count * dims));
    return values;
}

static double frechet_of(const Points *x, const Points *y)
{
    double distance[MAX_COLUMNS];
    Gaussians a, b;
    assert_ok(gaussians_fit(&a, x, &error) && gaussians_fit(&b, y, &error));
    assert_ok(frechet_distance(&a, &b, distance, &error));
    gaussians_free(&a);
    gaussians_free(&b);
    return distance[0];
}

static double kid_of(const Points *x, const Points *y)
{
    double own[1], other[1], both[1], distance;
    assert_ok(kernel_within(x, own, &error) && kernel_within(y, other, &error) &&
              kernel_between(x, y, both, &error));
    kernel_distance(own, other, both, 1, &distance);
    return distance;
}

static double sliced_of(const Points *x, const Points *y, const float *directions, int count)
{
    double distance[MAX_COLUMNS];
    assert_ok(sliced_distance(x, y, directions, count, distance, &error));
    return distance[0];
}

static double share_of(const Points *points, const Points *centres, int k)
{
    double share, *radii = memory_small((size_t)centres->count, sizeof *radii);
    manifold_radii(centres, k, radii);
    assert_ok(manifold_share(points, centres, radii, &share, &error));
    memory_free(radii);
    return share;
}

/* -- numpy and scipy -------------------------------------------------------------------------- */

static const char *in_set(const char *set, const char *name)
{
    static char paths[8][64];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", set, name);
    return path;
}

/* One set of a pair: column 0 has every point once, column 1 its resample. */
static Points read_points(const char *set, const char *name, const char *weights)
{
    int64_t dims[GOLDEN_MAX_RANK];
    float *values = golden_floats(GOLDEN, in_set(set, name), NULL, dims);
    int64_t *counts = golden_ints(GOLDEN, in_set(set, weights), NULL, NULL);
    uint8_t *columns = malloc((size_t)dims[0] * 2);
    for (int64_t i = 0; i < dims[0]; i++) {
        columns[2 * i] = 1;
        columns[2 * i + 1] = (uint8_t)counts[i];
    }
    free(counts);
    return (Points){.values = values,
                    .weights = columns,
                    .count = (int)dims[0],
                    .dims = (int)dims[1],
                    .columns = 2};
}

static void free_points(Points *points)
{
    free((float *)points->values);
    free((uint8_t *)points->weights);
}

static void measure(const Points *x, const Points *y, const float *directions, int count,
                    double values[4][2])
{
    Gaussians a, b;
    double own[2], other[2], both[2], *radii = calloc((size_t)y->count, sizeof *radii);
    assert_ok(gaussians_fit(&a, x, &error) && gaussians_fit(&b, y, &error));
    assert_ok(frechet_distance(&a, &b, values[0], &error));
    assert_ok(kernel_within(x, own, &error) && kernel_within(y, other, &error) &&
              kernel_between(x, y, both, &error));
    kernel_distance(own, other, both, 2, values[1]);
    assert_ok(sliced_distance(x, y, directions, count, values[2], &error));
    manifold_radii(y, 3, radii);
    assert_ok(manifold_share(x, y, radii, values[3], &error));
    gaussians_free(&a);
    gaussians_free(&b);
    free(radii);
}

START_TEST(they_agree_with_numpy_and_scipy)
{
    static const char *const sets[] = {"small", "wide"};
    static const char *const names[] = {"frechet", "kid", "sliced", "share of x"};
    for (int s = 0; s < 2; s++) {
        Points x = read_points(sets[s], "x", "weights_x");
        Points y = read_points(sets[s], "y", "weights_y");
        float *directions = golden_floats(GOLDEN, in_set(sets[s], "directions"), NULL, NULL);
        double *expected = golden_doubles(GOLDEN, in_set(sets[s], "expected"), NULL, NULL);
        double values[4][2];
        measure(&x, &y, directions, 5, values);
        for (int column = 0; column < 2; column++)
            for (int m = 0; m < 4; m++)
                ck_assert_msg(fabs(values[m][column] - expected[column * 4 + m]) < 1e-6,
                              "%s of %s, column %d: %.12g, not %.12g", names[m], sets[s], column,
                              values[m][column], expected[column * 4 + m]);
        const Points plain_x = plain(x.values, x.count, x.dims);
        const Points plain_y = plain(y.values, y.count, y.dims);
        ck_assert_double_eq_tol(share_of(&plain_y, &plain_x, 3),
                                golden_scalar(GOLDEN, in_set(sets[s], "share_y")), 1e-12);
        free_points(&x);
        free_points(&y);
        free(directions);
        free(expected);
    }
}
END_TEST

/* -- The Frechet distance --------------------------------------------------------------------- */

/* covariance [2, 2] := R diag(a, b) R' with the rotation by `angle`. */
static void rotated(double angle, double a, double b, double *covariance)
{
    const double c = cos(angle), s = sin(angle);
    covariance[0] = a * c * c + b * s * s;
    covariance[1] = covariance[2] = (a - b) * c * s;
    covariance[3] = a * s * s + b * c * c;
}

/* Covariances with the same axes: the distance is sum of (sqrt a - sqrt b)^2, and of the means' squares. */
START_TEST(gaussians_with_common_axes_have_a_closed_form)
{
    double mean_a[] = {1, -2}, mean_b[] = {0.5, 1}, cov_a[4], cov_b[4], distance;
    Gaussians a = {.dims = 2, .columns = 1, .mean = mean_a, .covariance = cov_a};
    Gaussians b = {.dims = 2, .columns = 1, .mean = mean_b, .covariance = cov_b};
    for (int i = 0; i < 8; i++) {
        rotated(0.4 * i, 9, 4, cov_a);
        rotated(0.4 * i, 1, 16, cov_b);
        assert_ok(frechet_distance(&a, &b, &distance, &error));
        ck_assert_double_eq_tol(distance, 0.25 + 9 + 4 + 4, 1e-12);
        rotated(0.4 * i, 0, 16, cov_b); /* a singular one */
        assert_ok(frechet_distance(&a, &b, &distance, &error));
        ck_assert_double_eq_tol(distance, 0.25 + 9 + 9 + 4, 1e-6);
    }
    rotated(0, 9, 4, cov_a); /* of 2 x 2 matrices too: tr root M = sqrt(tr M + 2 sqrt(det M)) */
    rotated(0.7, 1, 16, cov_b);
    assert_ok(frechet_distance(&a, &b, &distance, &error));
    const double trace = 9 * cov_b[0] + 4 * cov_b[3], determinant = 36 * 16;
    ck_assert_double_eq_tol(distance, 9.25 + 13 + 17 - 2 * sqrt(trace + 2 * sqrt(determinant)),
                            1e-12);
}
END_TEST

START_TEST(moments_that_are_not_finite_are_an_error)
{
    float values[] = {0, 1, NAN, 2, 1, 1, 3, 0};
    Points points = plain(values, 4, 2);
    Gaussians g;
    double distance;
    assert_ok(gaussians_fit(&g, &points, &error));
    assert_fails_as(frechet_distance(&g, &g, &distance, &error), ERROR_RUNTIME, "not finite");
    gaussians_free(&g);
}
END_TEST

/* Bytes that the process has had at the most. */
static double peak_bytes(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return 1024.0 * (double)usage.ru_maxrss;
}

/* Ten thousand resamples (--resamples) of 64 features would need 1 GB of work for all of them at once. */
START_TEST(memory_for_work_does_not_grow_with_the_resamples)
{
    /* MOST: bytes; all columns at once would take 56 million. */
    enum { DIMS = 48, COLUMNS = 1000, MOST = 16000000 };
    const size_t square = DIMS * DIMS;
    Gaussians g = {.dims = DIMS, .columns = COLUMNS};
    g.mean = memory_small(COLUMNS * DIMS, sizeof(double));
    g.covariance = memory_small(COLUMNS * square, sizeof(double));
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t i = 0; i < DIMS; i++)
            g.covariance[c * square + i * DIMS + i] = 1;
    double *distance = memory_small(COLUMNS, sizeof *distance);
    const double before = peak_bytes();
    assert_ok(frechet_distance(&g, &g, distance, &error));
    const double used = peak_bytes() - before;
#ifdef VARHEAD_NO_DISPATCH /* sanitizers keep back what is freed */
    const bool counts = false;
#else
    const bool counts = true;
#endif
    ck_assert_msg(!counts || used < MOST, "%g bytes", used);
    for (int c = 0; c < COLUMNS; c++)
        ck_assert_double_eq_tol(distance[c], 0, 1e-9);
    memory_free(distance);
    gaussians_free(&g);
}
END_TEST

/* -- What distances may not depend on --------------------------------------------------------- */

enum { COUNT = 60, OTHERS = 45, DIMS = 5 };

START_TEST(a_set_is_at_no_distance_from_itself_and_distances_are_symmetric)
{
    float *x = normals(COUNT, DIMS, 1), *y = normals(OTHERS, DIMS, 2), directions[7 * DIMS];
    for (int i = 0; i < OTHERS * DIMS; i++)
        y[i] = 0.3f + 1.4f * y[i];
    const Points a = plain(x, COUNT, DIMS), b = plain(y, OTHERS, DIMS);
    sliced_directions(1, 7, DIMS, directions);
    ck_assert_double_eq_tol(frechet_of(&a, &a), 0, 1e-10);
    ck_assert_double_eq(sliced_of(&a, &a, directions, 7), 0);
    ck_assert_double_eq(share_of(&a, &a, 3), 1);
    ck_assert_double_eq_tol(frechet_of(&a, &b), frechet_of(&b, &a), 1e-10);
    ck_assert_double_eq_tol(kid_of(&a, &b), kid_of(&b, &a), 1e-10);
    ck_assert_double_eq_tol(sliced_of(&a, &b, directions, 7), sliced_of(&b, &a, directions, 7),
                            1e-12);
    ck_assert(frechet_of(&a, &b) > 0.1 && kid_of(&a, &b) > 0.01);
    memory_free(x);
    memory_free(y);
}
END_TEST

/* values := scale * values + shift, in place. */
static void transform(float *values, int count, float scale, float shift)
{
    for (int i = 0; i < count; i++)
        values[i] = scale * values[i] + shift;
}

START_TEST(shifts_of_both_do_nothing_and_scales_come_out)
{
    float *x = normals(COUNT, DIMS, 1), *y = normals(OTHERS, DIMS, 2), directions[7 * DIMS];
    const Points a = plain(x, COUNT, DIMS), b = plain(y, OTHERS, DIMS);
    sliced_directions(1, 7, DIMS, directions);
    const double frechet = frechet_of(&a, &b), sliced = sliced_of(&a, &b, directions, 7);
    const double share = share_of(&a, &b, 3);
    transform(x, COUNT * DIMS, 2, 8);
    transform(y, OTHERS * DIMS, 2, 8);
    ck_assert_double_eq_tol(frechet_of(&a, &b), 4 * frechet, 1e-4);
    ck_assert_double_eq_tol(sliced_of(&a, &b, directions, 7), 2 * sliced, 1e-5);
    ck_assert_double_eq(share_of(&a, &b, 3), share);
    memory_free(x);
    memory_free(y);
}
END_TEST

/* Sums are made in the same order by any number of threads. */
START_TEST(they_do_not_depend_on_the_number_of_threads)
{
    float *x = normals(COUNT, DIMS, 1), *y = normals(OTHERS, DIMS, 2), directions[7 * DIMS];
    const Points a = plain(x, COUNT, DIMS), b = plain(y, OTHERS, DIMS);
    double values[2][4];
    sliced_directions(1, 7, DIMS, directions);
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 3);
        values[i][0] = frechet_of(&a, &b);
        values[i][1] = kid_of(&a, &b);
        values[i][2] = sliced_of(&a, &b, directions, 7);
        values[i][3] = share_of(&a, &b, 3);
    }
    ck_assert_mem_eq(values[0], values[1], sizeof values[0]);
    memory_free(x);
    memory_free(y);
}
END_TEST

/* -- The kernel distance ---------------------------------------------------------------------- */

START_TEST(the_kernel_is_the_cube_of_a_product)
{
    const float x[] = {1, 2, -1, 3}, y[] = {2, 0, 0, -1};
    const Points a = plain(x, 2, 2), b = plain(y, 2, 2);
    double mean;
    assert_ok(kernel_within(&a, &mean, &error));
    ck_assert_double_eq_tol(mean, pow(5 / 2.0 + 1, 3), 1e-12); /* no point with itself */
    assert_ok(kernel_between(&a, &b, &mean, &error));
    ck_assert_double_eq_tol(mean, (8 + 0 + 0 + pow(-1.5 + 1, 3)) / 4, 1e-12);
}
END_TEST

/* Over draws from one distribution its mean is zero; the biased estimate's would be that of k(x, x) over n. */
START_TEST(the_kernel_distance_is_unbiased)
{
    enum { DRAWS = 400, EACH = 12, WIDE = 4 };
    double sum = 0, square = 0;
    for (int i = 0; i < DRAWS; i++) {
        float *x = normals(EACH, WIDE, (uint32_t)(10 + 2 * i));
        float *y = normals(EACH, WIDE, (uint32_t)(11 + 2 * i));
        const Points a = plain(x, EACH, WIDE), b = plain(y, EACH, WIDE);
        const double distance = kid_of(&a, &b);
        sum += distance / DRAWS;
        square += distance * distance / DRAWS;
        memory_free(x);
        memory_free(y);
    }
    const double error_of_mean = sqrt(square / DRAWS);
    ck_assert_msg(fabs(sum) < 3 * error_of_mean, "mean %g +- %g", sum, error_of_mean);
    ck_assert_double_lt(error_of_mean, 0.1); /* the bias would be about 2 * 10 / EACH = 1.7 */
}
END_TEST

/* -- Manifolds -------------------------------------------------------------------------------- */

START_TEST(balls_reach_to_the_kth_neighbour_and_have_their_edge)
{
    const float centres[] = {0, 1, 3, 7}; /* nearest: 1, 1, 2, 4; second: 3, 2, 3, 6 */
    const float points[] = {-1, -1.01f, 4.5f, 5.01f, 11, 11.1f};
    const Points c = plain(centres, 4, 1), p = plain(points, 6, 1);
    double radii[4];
    manifold_radii(&c, 1, radii);
    ck_assert(radii[0] == 1 && radii[1] == 1 && radii[2] == 4 && radii[3] == 16);
    manifold_radii(&c, 2, radii);
    ck_assert(radii[0] == 9 && radii[1] == 4 && radii[2] == 9 && radii[3] == 36);
    /* With one neighbour: [-1, 2], [1, 5], [3, 11]. */
    ck_assert_double_eq_tol(share_of(&p, &c, 1), 4 / 6.0, 1e-15);
    const Points near_edge = plain(points + 1, 1, 1), beyond = plain(points + 5, 1, 1);
    ck_assert_double_eq(share_of(&near_edge, &c, 1), 0);
    ck_assert_double_eq(share_of(&near_edge, &c, 2), 1);
    ck_assert_double_eq(share_of(&beyond, &c, 1), 0);
}
END_TEST

/* -- The sliced Wasserstein distance ---------------------------------------------------------- */

START_TEST(on_a_line_it_is_the_transport_of_quantiles)
{
    const float line[] = {1}, x[] = {3, 0}, y[] = {1, 2, 0, 4}, far[] = {5};
    const Points one = plain(x + 1, 1, 1), two = plain(x, 2, 1), four = plain(y, 4, 1);
    const Points other = plain(far, 1, 1);
    ck_assert_double_eq_tol(sliced_of(&one, &other, line, 1), 5, 1e-12);
    /* {0, 3} against {0, 1, 2, 4}: 0-0, 0-1, 3-2, 3-4, a quarter each. */
    ck_assert_double_eq_tol(sliced_of(&two, &four, line, 1), sqrt(3 / 4.0), 1e-12);
    const Points three =
        plain(y, 3, 1); /* {0, 1, 2} against {0, 3}: 0, 1 and 2, 1, by thirds and sixths */
    ck_assert_double_eq_tol(sliced_of(&three, &two, line, 1),
                            sqrt(0 / 3.0 + 1 / 6.0 + 4 / 6.0 + 1 / 3.0), 1e-12);
}
END_TEST

START_TEST(directions_are_of_length_one_and_everywhere)
{
    enum { MANY = 4000, SPACE = 3 };
    static float directions[MANY * SPACE];
    double mean[SPACE] = {0}, square[SPACE] = {0};
    sliced_directions(9, MANY, SPACE, directions);
    for (int p = 0; p < MANY; p++) {
        double length = 0;
        for (int k = 0; k < SPACE; k++) {
            const double value = directions[p * SPACE + k];
            length += value * value;
            mean[k] += value / MANY;
            square[k] += value * value / MANY;
        }
        ck_assert_double_eq_tol(length, 1, 1e-6);
    }
    for (int k = 0; k < SPACE; k++) {
        ck_assert_double_eq_tol(mean[k], 0, 4 * sqrt(1.0 / SPACE / MANY));
        ck_assert_double_eq_tol(square[k], 1.0 / SPACE, 4 * sqrt(4.0 / 45 / MANY));
    }
}
END_TEST

/* -- Resamples -------------------------------------------------------------------------------- */

START_TEST(a_resample_draws_as_many_points_with_replacement)
{
    enum { POINTS = 50, REPLICATES = 30, COLUMNS = REPLICATES + 1 };
    static uint8_t weights[POINTS * COLUMNS], again[POINTS * COLUMNS], other[POINTS * COLUMNS];
    float values[POINTS];
    const Points points = {
        .values = values, .weights = weights, .count = POINTS, .dims = 1, .columns = COLUMNS};
    resample_draw(4, 0, POINTS, REPLICATES, weights);
    resample_draw(4, 0, POINTS, REPLICATES, again);
    resample_draw(4, 1, POINTS, REPLICATES, other);
    ck_assert_mem_eq(weights, again, sizeof weights);
    ck_assert_mem_ne(weights, other, sizeof weights);
    int missing = 0;
    for (int c = 0; c < COLUMNS; c++)
        ck_assert_double_eq(points_total(&points, c), POINTS);
    for (int i = 0; i < POINTS; i++) {
        ck_assert_int_eq(weights[i * COLUMNS], 1);
        for (int c = 1; c < COLUMNS; c++)
            missing += weights[i * COLUMNS + c] == 0;
    }
    /* A point is missing with probability (1 - 1/n)^n, a little more than a third. */
    ck_assert_double_eq_tol(missing / (double)(POINTS * REPLICATES), 0.364, 0.05);
}
END_TEST

/* Of a mean the standard error is known: s / sqrt(n). */
START_TEST(the_bootstrap_finds_the_standard_error_of_a_mean)
{
    enum { POINTS = 200, REPLICATES = 500, COLUMNS = REPLICATES + 1 };
    uint8_t *weights = memory_small(POINTS * COLUMNS, 1);
    float *values = normals(POINTS, 1, 5);
    const Points points = {
        .values = values, .weights = weights, .count = POINTS, .dims = 1, .columns = COLUMNS};
    Gaussians g;
    resample_draw(8, 0, POINTS, REPLICATES, weights);
    assert_ok(gaussians_fit(&g, &points, &error));
    const double expected = sqrt(g.covariance[0] / POINTS);
    const double found = resample_error(g.mean, COLUMNS);
    /* A standard deviation of R numbers is known to 1 / sqrt(2 R), 3 %; four times that. */
    ck_assert_msg(fabs(found / expected - 1) < 0.13, "%g, not %g", found, expected);
    double mean = 0;
    for (int i = 0; i < POINTS; i++)
        mean += (double)values[i] / POINTS;
    ck_assert_double_eq_tol(g.mean[0], mean, 1e-12);
    ck_assert(isnan(resample_error(g.mean, 2)));
    gaussians_free(&g);
    memory_free(weights);
    memory_free(values);
}
END_TEST

SUITE_MAIN("quality_metrics", they_agree_with_numpy_and_scipy,
           gaussians_with_common_axes_have_a_closed_form, moments_that_are_not_finite_are_an_error,
           memory_for_work_does_not_grow_with_the_resamples,
           a_set_is_at_no_distance_from_itself_and_distances_are_symmetric,
           shifts_of_both_do_nothing_and_scales_come_out,
           they_do_not_depend_on_the_number_of_threads, the_kernel_is_the_cube_of_a_product,
           the_kernel_distance_is_unbiased, balls_reach_to_the_kth_neighbour_and_have_their_edge,
           on_a_line_it_is_the_transport_of_quantiles, directions_are_of_length_one_and_everywhere,
           a_resample_draws_as_many_points_with_replacement,
           the_bootstrap_finds_the_standard_error_of_a_mean)
