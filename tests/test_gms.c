/* Tests of gms: the moments of its two Gaussians, and its steps against the exact moments of x_s given
 * x_t for a mixture. */
#include "tests/reverse_steps.h"

#include "base/random.h"
#include "variance/gms.h"
#include "variance/objective.h"
#include "variance/step_sample.h"

/* -- The two Gaussians ------------------------------------------------------------------------ */

static double mean_of(GmsSplit split)
{
    return GMS_FIRST * 2 * split.offset - (1 - GMS_FIRST) * split.offset;
}

static double variance_of(GmsSplit split)
{
    const double d = split.offset;
    return split.within + GMS_FIRST * 4 * d * d + (1 - GMS_FIRST) * d * d;
}

static double third_of(GmsSplit split)
{
    const double d = split.offset;
    return GMS_FIRST * 8 * d * d * d - (1 - GMS_FIRST) * d * d * d;
}

START_TEST(the_moments_are_those_asked_for)
{
    for (double variance = 0.01; variance < 10; variance *= 3)
        for (double skew = -0.5; skew <= 0.5; skew += 0.125) {
            const double third = skew * pow(variance, 1.5);
            const GmsSplit split = gms_split(variance, third);
            ck_assert_double_eq_tol(mean_of(split), 0, 1e-15);
            check_close(variance_of(split), variance, 1e-14, "variance");
            ck_assert_double_eq_tol(third_of(split), third, 1e-14 * pow(variance, 1.5));
            ck_assert_double_ge(split.within, GMS_LEAST_WITHIN * variance);
        }
}
END_TEST

START_TEST(too_large_a_third_moment_is_lowered)
{
    for (double third = -100; third <= 100; third += 200) {
        const GmsSplit split = gms_split(2, third);
        check_close(split.within, 0.2, 1e-14, "within");
        check_close(variance_of(split), 2, 1e-14, "variance");
        ck_assert(third_of(split) * third > 0 && fabs(third_of(split)) < 100);
    }
    const GmsSplit none = gms_split(0, 1);
    ck_assert(none.offset == 0 && none.within == 0);
    ck_assert(isnan(gms_split(1, NAN).offset));
}
END_TEST

/* -- Steps ------------------------------------------------------------------------------------ */

/* x_0 is 0.6 with probability 0.2, and -0.4 otherwise, with the standard deviation 0.1. */
enum { COMPONENTS = 2 };
static const double weights[COMPONENTS] = {0.2, 0.8}, centres[COMPONENTS] = {0.6, -0.4};
static const double spread = 0.01;

/* moments [4] := E[eps^k | x_t], k = 0 .. 3. Given the component, eps is Gaussian. */
static void moments_of_eps(int t, double x_t, double *moments)
{
    const double a = schedule.alpha_bar[t], b = schedule.beta_bar[t];
    double total = 0, sums[4] = {0};
    for (int k = 0; k < COMPONENTS; k++) {
        const double all = a * spread + b, off = x_t - sqrt(a) * centres[k];
        const double p = weights[k] * exp(-off * off / (2 * all));
        const double mean = sqrt(b) * off / all, variance = 1 - b / all;
        const double of[4] = {1, mean, mean * mean + variance,
                              mean * mean * mean + 3 * mean * variance};
        for (int i = 0; i < 4; i++)
            sums[i] += p * of[i];
        total += p;
    }
    for (int i = 0; i < 4; i++)
        moments[i] = sums[i] / total;
}

/* The central moments 2 and 3 of x_s given x_t: x_s is sqrt(gain) x_0 and independent noise, and x_0
 * is a decreasing linear function of eps. */
static void moments_of_step(const ReverseStep *step, const double *eps, double *variance,
                            double *third)
{
    const double factor = step->gain * schedule.beta_bar[step->t] / schedule.alpha_bar[step->t];
    *variance = step->lambda2 + factor * (eps[2] - eps[1] * eps[1]);
    *third = -pow(factor, 1.5) * (eps[3] - 3 * eps[2] * eps[1] + 2 * pow(eps[1], 3));
}

static EstimateSource source_of(size_t dims)
{
    EstimateSource source = {.schedule = &schedule, .dims = dims, .options = estimate_defaults()};
    return source;
}

/* Draws the step many times, each an image of one element. */
static void check_steps(Sampler sampler, int s, int t, double x_t)
{
    enum { DRAWS = 400000 };
    const ReverseOptions options = options_of(sampler, 0, &variance_gms);
    const ReverseStep step = reverse_step(&schedule, &options, s, t);
    const EstimateSource source = source_of(1);
    double eps[4], variance, third, sums[4] = {0};
    moments_of_eps(t, x_t, eps);
    moments_of_step(&step, eps, &variance, &third);
    const float x = (float)x_t, e = (float)eps[1], h = (float)eps[2], m = (float)eps[3];
    const double mean = reverse_mean(&step, x, e);
    for (uint32_t i = 0; i < DRAWS; i++) {
        float z, cov, x_s;
        random_normal((RandomKey){.seed = 5, .purpose = RANDOM_NOISE, .sample = i}, &z, 1);
        step_sample(&source, &variance_gms, &step, &x, &e, &h, &m, &z, &cov, &x_s);
        for (int k = 1; k < 4; k++)
            sums[k] += pow(x_s - mean, k) / DRAWS;
    }
    const double sigma = sqrt(variance), error = sqrt(1.0 / DRAWS);
    ck_assert_msg(fabs(sums[1]) < 5 * sigma * error, "mean: off by %g", sums[1]);
    ck_assert_msg(fabs(sums[2] - variance) < 8 * variance * error, "variance: %g, expected %g",
                  sums[2], variance);
    ck_assert_msg(fabs(sums[3] - third) < 20 * pow(sigma, 3) * error, "third: %g, expected %g",
                  sums[3], third);
    ck_assert_double_gt(fabs(third), 60 * pow(sigma, 3) * error); /* a Gaussian would fail */
}

START_TEST(steps_have_the_moments_of_the_mixture)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    check_steps(SAMPLER_DDPM, 100, 500, 1.0);
    check_steps(SAMPLER_DDPM, 200, 450, -0.5);
    check_steps(SAMPLER_DDIM, 200, 450, 2.2);
}
END_TEST

/* The noise of an image for given heads. */
static void draw_image(const ReverseStep *step, const float *z, size_t dims, float *x_s)
{
    const EstimateSource source = source_of(dims);
    float x[8] = {0}, e[8] = {0}, h[8], m[8], cov[8];
    for (size_t i = 0; i < dims; i++) {
        h[i] = 0.5f;
        m[i] = 0.3f;
    }
    step_sample(&source, &variance_gms, step, x, e, h, m, z, cov, x_s);
}

/* An image takes all its elements from one component, and which one is a matter of its noise. */
START_TEST(an_image_has_one_component)
{
    enum { DIMS = 8, IMAGES = 300 };
    use_schedule(SCHEDULE_LINEAR, 1000);
    const ReverseOptions options = options_of(SAMPLER_DDIM, 0, &variance_gms);
    const ReverseStep step = reverse_step(&schedule, &options, 200, 450);
    const double factor = pow(step.gain * schedule.beta_bar[450] / schedule.alpha_bar[450], 1.5);
    const GmsSplit split = gms_split(
        step.gain * variance_clipped(0.5 * schedule.beta_bar[450] / schedule.alpha_bar[450]),
        -factor * 0.3);
    int first = 0;
    for (uint32_t i = 0; i < IMAGES; i++) {
        float z[DIMS], x_s[DIMS];
        random_normal((RandomKey){.seed = 6, .purpose = RANDOM_NOISE, .sample = i}, z, DIMS);
        draw_image(&step, z, DIMS, x_s);
        const double offset = x_s[0] - sqrt(split.within) * z[0];
        const bool is_first = fabs(offset - 2 * split.offset) < 1e-5;
        first += is_first;
        for (int k = 0; k < DIMS; k++)
            ck_assert_double_eq_tol(x_s[k] - sqrt(split.within) * z[k],
                                    is_first ? 2 * split.offset : -split.offset, 1e-5);
    }
    ck_assert_int_gt(first, 70);
    ck_assert_int_lt(first, 130);
}
END_TEST

START_TEST(the_ends_of_a_trajectory_are_gaussian)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_gms);
    ReverseStep step = reverse_step(&schedule, &options, 50, 100);
    const float z[2] = {0, 0};
    float x_s[2];
    draw_image(&step, z, 2, x_s);
    ck_assert(x_s[0] != 0 && x_s[1] == x_s[0]);
    step.is_end = true;
    draw_image(&step, z, 2, x_s);
    ck_assert(x_s[0] == 0 && x_s[1] == 0);
}
END_TEST

START_TEST(the_head_regresses_the_cube)
{
    const float eps[3] = {0.5f, -2, 0}, want[3] = {0.125f, -8, 0};
    const int t = 3;
    float y[3];
    objective_targets(&objective_gms,
                      &(ObjectiveBatch){.images = 1, .dims = 3, .t = &t, .eps = eps}, y);
    ck_assert_mem_eq(y, want, sizeof y);
}
END_TEST

/* The only one of the table. */
START_TEST(it_has_no_bound)
{
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        Error error = {0};
        ck_assert(variance_check_bound(variance_table[v], &error) ==
                  (variance_table[v] != &variance_gms));
        ck_assert(!variance_table[v]->no_bound || error.kind == ERROR_INPUT);
    }
}
END_TEST

SUITE_MAIN("gms", the_moments_are_those_asked_for, too_large_a_third_moment_is_lowered,
           steps_have_the_moments_of_the_mixture, an_image_has_one_component,
           the_ends_of_a_trajectory_are_gaussian, the_head_regresses_the_cube, it_has_no_bound)
