/* Tests of the Gaussian mixture: its closed forms against golden values, against sampled pairs, and
 * at points where a careless formula would cancel or underflow; and the promised properties of the
 * built-in images. */
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/mixture.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/suite.h"

#include <math.h>

static const char *const file = "tests/golden/gmm.h5";

static Schedule make_schedule(void)
{
    Schedule schedule;
    Error error = {0};
    ck_assert_msg(schedule_make(&schedule, SCHEDULE_LINEAR, 1000, &error), "%s", error.message);
    return schedule;
}

static Mixture make_mixture(int components, size_t dims)
{
    Mixture mixture;
    Error error = {0};
    ck_assert_msg(mixture_make(&mixture, components, dims, &error), "%s", error.message);
    return mixture;
}

static Mixture make_builtin(int resolution, int channels)
{
    Mixture mixture;
    Error error = {0};
    ck_assert_msg(mixture_builtin(&mixture, resolution, channels, &error), "%s", error.message);
    return mixture;
}

/* -- Moments ---------------------------------------------------------------------------------- */

static void copy_golden(const char *dataset, double *values, size_t count)
{
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    double *stored = golden_doubles(file, dataset, &rank, dims);
    ck_assert_uint_eq(golden_count(rank, dims), count);
    memcpy(values, stored, count * sizeof *values);
    free(stored);
}

static void check_close(double value, double expected, double tolerance, const char *what, size_t i)
{
    ck_assert_msg(fabs(value - expected) <= tolerance * fabs(expected), "%s[%zu]: %.17g, not %.17g",
                  what, i, value, expected);
}

START_TEST(moments_are_golden)
{
    Schedule schedule = make_schedule();
    Mixture mixture = make_mixture(4, 2);
    copy_golden("mixture/weights", mixture.weight, 4);
    copy_golden("mixture/means", mixture.mean, 8);
    copy_golden("mixture/variances", mixture.variance, 8);

    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    double *x = golden_doubles(file, "x", &rank, dims);
    int64_t *t = golden_ints(file, "t", NULL, NULL);
    double *eps = golden_doubles(file, "eps_mean", NULL, NULL);
    double *eps2 = golden_doubles(file, "eps2_mean", NULL, NULL);
    double *cov = golden_doubles(file, "cov_x0", NULL, NULL);
    ck_assert_int_gt(dims[0], 500);
    for (size_t i = 0; i < (size_t)dims[0]; i++) {
        double out[3][2];
        mixture_moments(&mixture, &schedule, (int)t[i], x + 2 * i, out[0], out[1], out[2]);
        for (size_t j = 0; j < 2; j++) {
            /* E[eps] passes through zero, so relative to 1; the others are positive. */
            ck_assert_double_eq_tol(out[0][j], eps[2 * i + j],
                                    1e-12 * fmax(1, fabs(eps[2 * i + j])));
            check_close(out[1][j], eps2[2 * i + j], 1e-9, "eps2_mean", i);
            check_close(out[2][j], cov[2 * i + j], 1e-9, "cov_x0", i);
        }
    }
    free(x);
    free(t);
    free(eps);
    free(eps2);
    free(cov);
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

/* Of one Gaussian the covariance is v beta_bar / (alpha_bar v + beta_bar) wherever x_t is. Far
 * out E[eps^2] is 10^10 times Var[eps], and their difference has no digits left. */
START_TEST(covariance_does_not_cancel)
{
    Schedule schedule = make_schedule();
    Mixture mixture = make_mixture(1, 1);
    mixture.weight[0] = 1;
    mixture.mean[0] = 0.25;
    mixture.variance[0] = 1e-6;
    const double places[] = {0.25, -3, 100, 1e6};
    for (int t = 1; t <= 1000; t += 111) {
        double abar = schedule.alpha_bar[t], bbar = schedule.beta_bar[t];
        double marginal = abar * 1e-6 + bbar;
        for (size_t i = 0; i < 4; i++) {
            double eps, eps2, cov, offset = places[i] - sqrt(abar) * 0.25;
            mixture_moments(&mixture, &schedule, t, &places[i], &eps, &eps2, &cov);
            check_close(cov, 1e-6 * bbar / marginal, 1e-13, "cov", i);
            check_close(eps, sqrt(bbar) * offset / marginal, 1e-12, "eps", i);
            check_close(eps2, eps * eps + abar * 1e-6 / marginal, 1e-12, "eps2", i);
        }
    }
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

/* In 2352 dimensions densities are far below 1e-308; at a component's own mean the component
 * must still be recognised, and its Gaussian's moments come out. */
START_TEST(densities_do_not_underflow)
{
    Schedule schedule = make_schedule();
    Mixture mixture = make_builtin(28, 3);
    size_t dims = mixture.dims;
    ck_assert_uint_eq(dims, 28 * 28 * 3);
    double *x = malloc(dims * sizeof *x), *eps = malloc(dims * sizeof *x);
    double *eps2 = malloc(dims * sizeof *x), *cov = malloc(dims * sizeof *x);
    for (int k = 0; k < mixture.components; k++) {
        const int t = 100;
        double abar = schedule.alpha_bar[t], bbar = schedule.beta_bar[t];
        for (size_t i = 0; i < dims; i++)
            x[i] = sqrt(abar) * mixture.mean[(size_t)k * dims + i];
        mixture_moments(&mixture, &schedule, t, x, eps, eps2, cov);
        for (size_t i = 0; i < dims; i++) {
            double v = mixture.variance[(size_t)k * dims + i];
            check_close(cov[i], v * bbar / (abar * v + bbar), 1e-12, "cov", i);
            ck_assert_double_eq_tol(eps[i], 0, 1e-12);
            check_close(eps2[i], abar * v / (abar * v + bbar), 1e-12, "eps2", i);
        }
        for (size_t i = 0; i < dims; i++)
            x[i] = i % 2 ? 1e4 : -1e4; /* nowhere near any component */
        mixture_moments(&mixture, &schedule, t, x, eps, eps2, cov);
        for (size_t i = 0; i < dims; i++)
            ck_assert(isfinite(eps[i]) && isfinite(eps2[i]) && cov[i] > 0 && isfinite(cov[i]));
    }
    free(x);
    free(eps);
    free(eps2);
    free(cov);
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    Schedule schedule = make_schedule();
    Mixture mixture = make_builtin(3, 1);
    double x[9], eps[9], eps2[9], cov[9], one[9];
    for (int i = 0; i < 9; i++)
        x[i] = 0.1 * i;
    mixture_moments(&mixture, &schedule, 300, x, eps, eps2, cov);
    mixture_moments(&mixture, &schedule, 300, x, one, NULL, NULL);
    ck_assert_mem_eq(one, eps, sizeof one);
    mixture_moments(&mixture, &schedule, 300, x, NULL, one, NULL);
    ck_assert_mem_eq(one, eps2, sizeof one);
    mixture_moments(&mixture, &schedule, 300, x, NULL, NULL, one);
    ck_assert_mem_eq(one, cov, sizeof one);
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

/* A mean over draws that should be zero, with its own estimate of its error. */
typedef struct Mean {
    double sum, squares;
    int count;
} Mean;

static void add(Mean *mean, double value)
{
    mean->sum += value;
    mean->squares += value * value;
    mean->count++;
}

static void check_zero(const Mean *mean, const char *what, int t)
{
    double average = mean->sum / mean->count;
    double deviation = sqrt(mean->squares / mean->count / mean->count);
    ck_assert_msg(fabs(average) < 5 * deviation, "%s at t = %d: %g, standard error %g", what, t,
                  average, deviation);
}

/* Sampled (x_0, x_t): what is left of eps, eps^2 and (x_0 - E[x_0])^2 after taking away the
 * closed form must have mean zero, alone and multiplied by functions of x_t (which is what a
 * conditional expectation means), for every dimension of 3x3 images. */
START_TEST(moments_fit_sampled_pairs)
{
    enum { DIMS = 9, PAIRS = 20000 };
    Schedule schedule = make_schedule();
    Mixture mixture = make_builtin(3, 1);
    const int times[] = {1, 60, 200, 450, 800};
    for (int n = 0; n < 5; n++) {
        const int t = times[n];
        double to_x0 = sqrt(schedule.beta_bar[t] / schedule.alpha_bar[t]);
        Mean plain[3][DIMS] = {0}, slope[3][DIMS] = {0}, square[3][DIMS] = {0};
        for (uint32_t i = 0; i < PAIRS; i++) {
            float x_0[DIMS], noise[DIMS], x_t[DIMS];
            double x[DIMS], eps[DIMS], eps2[DIMS], cov[DIMS];
            mixture_sample(&mixture, 7, i, x_0);
            RandomKey key = {.seed = 8, .purpose = RANDOM_NOISE, .step = (uint32_t)t, .sample = i};
            random_normal(key, noise, DIMS);
            forward_noise(&schedule, &t, x_0, noise, 1, DIMS, x_t);
            for (int j = 0; j < DIMS; j++)
                x[j] = x_t[j];
            mixture_moments(&mixture, &schedule, t, x, eps, eps2, cov);
            for (int j = 0; j < DIMS; j++) {
                double error = to_x0 * (noise[j] - eps[j]); /* of x_0, at this x_t */
                const double rest[3] = {noise[j] - eps[j], noise[j] * (double)noise[j] - eps2[j],
                                        error * error - cov[j]};
                for (int r = 0; r < 3; r++) {
                    add(&plain[r][j], rest[r]);
                    add(&slope[r][j], rest[r] * x[(j + r) % DIMS]);
                    add(&square[r][j], rest[r] * (x[j] * x[j] - 0.3));
                }
            }
        }
        static const char *const names[3] = {"eps", "eps^2", "(x_0 - E x_0)^2"};
        for (int r = 0; r < 3; r++) {
            for (int j = 0; j < DIMS; j++) {
                check_zero(&plain[r][j], names[r], t);
                check_zero(&slope[r][j], names[r], t);
                check_zero(&square[r][j], names[r], t);
            }
        }
    }
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

/* -- Images ----------------------------------------------------------------------------------- */

START_TEST(samples_are_pure_functions)
{
    Mixture mixture = make_builtin(5, 3);
    float first[75], again[75], other[75];
    mixture_sample(&mixture, 1, 40, first);
    mixture_sample(&mixture, 1, 41, other);
    ck_assert_mem_ne(first, other, sizeof first);
    mixture_sample(&mixture, 2, 40, other);
    ck_assert_mem_ne(first, other, sizeof first);
    mixture_sample(&mixture, 1, 40, again);
    ck_assert_mem_eq(first, again, sizeof first);
    mixture_free(&mixture);
}
END_TEST

/* Means and variances of pixels over many samples, within five standard errors, and each
 * component as often as its weight says. */
START_TEST(samples_have_the_mixtures_moments)
{
    enum { DIMS = 32, COUNT = 40000 };
    Mixture mixture = make_builtin(4, 2);
    double sum[DIMS] = {0}, squares[DIMS] = {0}, fourth[DIMS] = {0};
    double mean[DIMS] = {0}, variance[DIMS] = {0};
    for (int j = 0; j < DIMS; j++) {
        for (int k = 0; k < mixture.components; k++)
            mean[j] += mixture.weight[k] * mixture.mean[k * DIMS + j];
        for (int k = 0; k < mixture.components; k++) {
            double offset = mixture.mean[k * DIMS + j] - mean[j];
            variance[j] += mixture.weight[k] * (mixture.variance[k * DIMS + j] + offset * offset);
        }
    }
    int nearest[MIXTURE_MAX_COMPONENTS] = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        float image[DIMS];
        mixture_sample(&mixture, 99, i, image);
        double least = INFINITY;
        int closest = 0;
        for (int k = 0; k < mixture.components; k++) {
            double distance = 0;
            for (int j = 0; j < DIMS; j++) {
                double offset = image[j] - mixture.mean[k * DIMS + j],
                       v = mixture.variance[k * DIMS + j];
                distance += offset * offset / v + log(v);
            }
            if (distance < least) {
                least = distance;
                closest = k;
            }
        }
        nearest[closest]++;
        for (int j = 0; j < DIMS; j++) {
            double offset = image[j] - mean[j];
            sum[j] += offset;
            squares[j] += offset * offset;
            fourth[j] += pow(offset, 4);
        }
    }
    for (int j = 0; j < DIMS; j++) {
        double error = sqrt((fourth[j] / COUNT - variance[j] * variance[j]) / COUNT);
        ck_assert_double_lt(fabs(sum[j] / COUNT), 5 * sqrt(variance[j] / COUNT));
        ck_assert_double_lt(fabs(squares[j] / COUNT - variance[j]), 5 * error);
    }
    for (int k = 0; k < mixture.components; k++) {
        double w = mixture.weight[k];
        ck_assert_double_lt(fabs((double)nearest[k] / COUNT - w), 5 * sqrt(w * (1 - w) / COUNT));
    }
    mixture_free(&mixture);
}
END_TEST

START_TEST(builtin_images_keep_their_promises)
{
    const int resolutions[] = {1, 4, 8, 12, 28, 32}, channels[] = {1, 3};
    for (int r = 0; r < 6; r++) {
        for (int c = 0; c < 2; c++) {
            Mixture mixture = make_builtin(resolutions[r], channels[c]);
            size_t count = (size_t)mixture.components * mixture.dims;
            double total = 0, least = INFINITY, most = 0;
            for (int k = 0; k < mixture.components; k++) {
                total += mixture.weight[k];
                for (int l = 0; l < k; l++)
                    ck_assert(mixture.weight[k] != mixture.weight[l]);
            }
            ck_assert_double_eq_tol(total, 1, 1e-15);
            for (size_t i = 0; i < count; i++) {
                double sigma = sqrt(mixture.variance[i]);
                least = smaller(least, sigma);
                most = larger(most, sigma);
                ck_assert(0.0199 < sigma && sigma < 0.31);
                ck_assert_double_lt(fabs(mixture.mean[i]), 0.41);
                ck_assert_double_le(fabs(mixture.mean[i]) + 1.9 * sigma, 1);
            }
            if (resolutions[r] >= 4) /* the covariance varies: a constant is a poor guess */
                ck_assert_double_gt(most / least, 4);
            mixture_free(&mixture);
        }
    }
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    Mixture mixture;
    Error error = {0};
    ck_assert(!mixture_make(&mixture, 3, SIZE_MAX / 4, &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    error = (Error){0};
    ck_assert(!mixture_make(&mixture, 3, SIZE_MAX / 64, &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    mixture_free(&mixture); /* allowed after a failure */
}
END_TEST

SUITE_MAIN("mixture", moments_are_golden, covariance_does_not_cancel, densities_do_not_underflow,
           outputs_may_be_left_out, moments_fit_sampled_pairs, samples_are_pure_functions,
           samples_have_the_mixtures_moments, builtin_images_keep_their_promises,
           impossible_sizes_are_refused)
