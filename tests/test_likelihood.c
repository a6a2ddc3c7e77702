/* Tests of the terms of the bound, against their definitions, and of the grid that sums them for
 * many steps at once. (With a network, against an independent implementation: tests/test_bound.c.)
 */
#include "tests/suite.h"

#include "base/random.h"
#include "diffusion/cov_grid.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "diffusion/reverse.h"
#include "variance/estimate.h"

#include <math.h>

enum { COUNT = 37 }; /* more than one group of factors, and no multiple */

static Schedule schedule;

static void use_schedule(ScheduleKind kind, int timesteps)
{
    Error error = {0};
    schedule_free(&schedule);
    must(schedule_make(&schedule, kind, timesteps, &error), &error);
}

/* An image, what the network sees and says, and estimates that go down to 0. */
typedef struct Case {
    float x_0[COUNT], eps[COUNT], x_t[COUNT], eps_hat[COUNT], cov[COUNT];
    double x_0_hat[COUNT], off2[COUNT], sum_off2;
} Case;

static Case make_case(int t)
{
    Case c;
    RandomKey key = {.seed = 5, .purpose = RANDOM_LIKELIHOOD, .step = (uint32_t)t};
    random_normal(key, c.eps, COUNT);
    key.sample = 1;
    random_normal(key, c.eps_hat, COUNT);
    for (int i = 0; i < COUNT; i++) {
        c.x_0[i] = (float)(2 * random_uniform(key, (uint32_t)(1000 + i)) - 1);
        c.eps_hat[i] = c.eps[i] + 0.2f * c.eps_hat[i];
        c.cov[i] = i % 9 == 0 ? 0 : (float)exp(-12 * random_uniform(key, (uint32_t)(2000 + i)));
    }
    forward_noise(&schedule, &t, c.x_0, c.eps, 1, COUNT, c.x_t);
    c.sum_off2 =
        likelihood_mean(&schedule, t, true, c.x_0, c.x_t, c.eps_hat, COUNT, c.x_0_hat, c.off2);
    return c;
}

/* KL(q || p) of one element by its definition, from the two means and the two variances of the step. */
static double gaussian_kl(double mean_q, double variance_q, double mean_p, double variance_p)
{
    const double off = mean_q - mean_p;
    return 0.5 * (log(variance_p / variance_q) + (variance_q + off * off) / variance_p - 1);
}

/* The step t -> s by that definition; q's mean is the reverse step's at the true noise. */
static double defined(const Case *c, const Variance *kind, int s, int t, double clip_pixel)
{
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = kind->step;
    options.clip_pixel = clip_pixel;
    options.clip_sigma_to = s;
    const ReverseStep step = reverse_step(&schedule, &options, s, t);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        double q = step.mean_x0 * c->x_0[i] + step.mean_xt * c->x_t[i];
        double p = reverse_mean(&step, c->x_t[i], c->eps_hat[i]);
        sum += gaussian_kl(q, step.lambda2, p, reverse_variance(&step, c->cov[i]));
    }
    return sum;
}

static const int pairs[][2] = {{1, 2}, {1, 1000}, {112, 223}, {400, 500}, {999, 1000}, {3, 900}};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

START_TEST(steps_are_what_they_are_defined_as)
{
    for (int kind = SCHEDULE_LINEAR; kind <= SCHEDULE_COSINE; kind++) {
        use_schedule((ScheduleKind)kind, 1000);
        for (int k = 0; k < PAIRS; k++) {
            const int s = pairs[k][0], t = pairs[k][1];
            const Case c = make_case(t);
            const double kappa = likelihood_kappa(&schedule, s, t);
            const struct {
                const Variance *kind;
                double got;
            } cases[] = {
                {&variance_npr, likelihood_step(kappa, c.off2, c.cov, INFINITY, COUNT)},
                {&variance_beta_tilde, likelihood_step_scalar(kappa, c.sum_off2, 0, COUNT)},
                {&variance_beta,
                 likelihood_step_scalar(kappa, c.sum_off2, schedule.beta_bar[t], COUNT)},
            };
            for (int i = 0; i < 3; i++) {
                double want = defined(&c, cases[i].kind, s, t, 0);
                ck_assert_msg(fabs(cases[i].got - want) <= 1e-7 * want + 1e-8,
                              "%s, %d -> %d: %.12g, expected %.12g", cases[i].kind->name, t, s,
                              cases[i].got, want);
            }
            /* With the noise of the step bounded to two grey levels, and hardly at all. */
            for (double pixel = 2; pixel < 500; pixel *= 200) {
                double most = likelihood_most_cov(&schedule, s, t, reverse_pixel_variance(pixel));
                double want = defined(&c, &variance_npr, s, t, pixel);
                double got = likelihood_step(kappa, c.off2, c.cov, most, COUNT);
                ck_assert_msg(fabs(got - want) <= 1e-7 * want + 1e-8,
                              "%g pixels, %d -> %d: %.12g, expected %.12g", pixel, t, s, got, want);
            }
        }
    }
}
END_TEST

START_TEST(a_step_of_no_length_is_free)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const Case c = make_case(500);
    const double kappa = likelihood_kappa(&schedule, 500, 500);
    ck_assert(likelihood_step(kappa, c.off2, c.cov, INFINITY, COUNT) == 0);
    ck_assert(likelihood_step_scalar(kappa, c.sum_off2, 0.3, COUNT) == 0);
}
END_TEST

/* Nothing is too large for the product of factors, nor lost where they are all but 1. */
START_TEST(any_kappa)
{
    double off2[COUNT];
    float cov[COUNT];
    for (int i = 0; i < COUNT; i++) {
        cov[i] = 1;
        off2[i] = 1;
    }
    for (double kappa = 1e-12; kappa < 1e30; kappa *= 10) {
        const double want = COUNT * 0.5 * log1p(kappa);
        ck_assert_double_eq_tol(likelihood_step_scalar(kappa, COUNT, 1, COUNT), want, 1e-12 * want);
        ck_assert_double_eq_tol(likelihood_step(kappa, off2, cov, INFINITY, COUNT), want,
                                1e-9 * want + 1e-14);
    }
}
END_TEST

/* An unclipped estimate may leave no variance at all: that must not look like a number. */
START_TEST(impossible_variances_are_no_number)
{
    double off2[COUNT] = {0};
    float cov[COUNT] = {0};
    ck_assert(likelihood_step(10, off2, cov, INFINITY, COUNT) == 0);
    cov[20] = -0.09f;
    ck_assert(isfinite(likelihood_step(10, off2, cov, INFINITY, COUNT)));
    cov[20] = cov[21] = -0.2f; /* two factors below 0, whose product is above */
    ck_assert(isnan(likelihood_step(10, off2, cov, INFINITY, COUNT)));
    cov[20] = cov[21] = NAN;
    ck_assert(isnan(likelihood_step(10, off2, cov, INFINITY, COUNT)));
    ck_assert(isnan(likelihood_step_scalar(10, 0, -0.2, COUNT)));
    ck_assert(isnan(likelihood_step_scalar(10, 0, NAN, COUNT)));
}
END_TEST

/* A wrong x_0_hat, or one that is no number, does not hide in the clip. */
START_TEST(the_mean_is_clipped)
{
    use_schedule(SCHEDULE_COSINE, 1000);
    const float x_0[4] = {0.5f, 0.5f, 0.5f, 0.5f}, x_t[4] = {0, 1, -1, NAN}, eps[4] = {0};
    double hat[4], off2[4];
    ck_assert(isnan(likelihood_mean(&schedule, 1000, true, x_0, x_t, eps, 4, hat, off2)));
    ck_assert(hat[0] == 0 && hat[1] == 1 && hat[2] == -1 && isnan(hat[3]));
    ck_assert(off2[1] == 0.25 && off2[2] == 2.25);
    likelihood_mean(&schedule, 1000, false, x_0, x_t, eps, 4, hat, off2);
    ck_assert_double_gt(hat[1], 10000);
}
END_TEST

/* The 256 levels are all there is: their probabilities sum to 1, wherever the mean is. */
START_TEST(levels_share_the_probability)
{
    for (double sigma = 0.002; sigma < 1; sigma *= 3)
        for (double mean = -1.2; mean < 1.3; mean += 0.3) {
            double sum = 0;
            for (int level = 0; level < 256; level++) {
                const float x_0 = (float)(2 * level / 255.0 - 1);
                sum += exp(-likelihood_decoder(sigma * sigma, &x_0, &mean, 1));
            }
            ck_assert_double_eq_tol(sum, 1, 1e-6);
        }
    use_schedule(SCHEDULE_LINEAR, 1000);
    ck_assert(likelihood_free_decoder_variance(&schedule, 1) ==
              likelihood_decoder_variance(&schedule));
    ck_assert(likelihood_free_decoder_variance(&schedule, 7) == schedule.beta_bar[7]);
}
END_TEST

/* -- The grid --------------------------------------------------------------------------------- */

/* Of estimates from 0 to `scale`. */
static void check_grid(double scale, double tolerance)
{
    enum { IMAGES = 50 };
    for (int kind = SCHEDULE_LINEAR; kind <= SCHEDULE_COSINE; kind++) {
        use_schedule((ScheduleKind)kind, 1000);
        CovGrid grid;
        cov_grid_make(&grid, scale, likelihood_kappa(&schedule, 1, 1000));
        const size_t size = cov_grid_sums(&grid);
        for (int k = 0; k < PAIRS; k++) {
            const int s = pairs[k][0], t = pairs[k][1];
            const double kappa = likelihood_kappa(&schedule, s, t);
            double *sums = calloc(2 * size, sizeof *sums), want[2] = {0}, got[2];
            for (int i = 0; i < IMAGES; i++) {
                Case c = make_case(1 + (t + 17 * i) % 1000);
                if (i == 0)
                    for (int j = 0; j < COUNT;
                         j++) /* the ends of the range, and beyond the lower */
                        c.cov[j] = j % 3 == 0 ? 1 : j % 3 == 1 ? 1e-30f : nextafterf(1, 0);
                for (int j = 0; j < COUNT; j++)
                    c.cov[j] = (float)(scale * c.cov[j]);
                cov_grid_add(&grid, c.cov, c.off2, COUNT, sums);
                cov_grid_add_scalar(&grid, c.cov[1], COUNT, c.sum_off2, sums + size);
                want[0] += likelihood_step(kappa, c.off2, c.cov, INFINITY, COUNT);
                want[1] += likelihood_step_scalar(kappa, c.sum_off2, c.cov[1], COUNT);
            }
            cov_grid_step(&grid, kappa, sums, 2, got);
            for (int i = 0; i < 2; i++)
                ck_assert_msg(fabs(got[i] - want[i]) <= tolerance * want[i],
                              "%d -> %d: %.15g, expected %.15g", t, s, got[i], want[i]);
            free(sums);
        }
        cov_grid_free(&grid);
    }
}

START_TEST(the_grid_is_the_sum)
{
    check_grid(1, 1e-9);
}
END_TEST

/* --cov-scale lets estimates be as large as 1000. Where they are far above r^2 the logarithm counts most, which at small
 * steps grows as c^2: Lagrange's interpolation of that errs by (2/8)^8 43 / 8!. */
START_TEST(the_grid_is_the_sum_of_larger_estimates)
{
    const double interpolation = 1.7e-8;
    check_grid(1.2, interpolation);
    check_grid(2, interpolation);
    check_grid(1000, interpolation);
}
END_TEST

/* A schedule may have no step in which an estimate counts. */
START_TEST(a_grid_of_negligible_steps_costs_nothing)
{
    const float cov[2] = {1, 0.5f};
    const double off2[2] = {1, 0.5};
    CovGrid grid;
    cov_grid_make(&grid, 1, 1e-14);
    double *sums = calloc(cov_grid_sums(&grid), sizeof *sums), kl;
    cov_grid_add(&grid, cov, off2, 2, sums);
    cov_grid_step(&grid, 1e-14, sums, 1, &kl);
    ck_assert(fabs(kl) < 1e-13);
    free(sums);
    cov_grid_free(&grid);
}
END_TEST

/* One estimate that is no number spoils the costs of its image, whatever the step, and no other's. */
START_TEST(the_grid_does_not_hide_a_nan)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    CovGrid grid;
    cov_grid_make(&grid, 1, likelihood_kappa(&schedule, 1, 1000));
    const size_t size = cov_grid_sums(&grid);
    double *sums = calloc(3 * size, sizeof *sums), kl[3];
    const float cov[2] = {0.5f, NAN};
    const double off2[2] = {0.1, 0.1};
    cov_grid_add(&grid, cov, off2, 2, sums);
    cov_grid_add_scalar(&grid, NAN, 2, 0.2, sums + size);
    cov_grid_add(&grid, cov, off2, 1, sums + 2 * size);
    for (int k = 0; k < PAIRS; k++) {
        cov_grid_step(&grid, likelihood_kappa(&schedule, pairs[k][0], pairs[k][1]), sums, 3, kl);
        ck_assert_msg(isnan(kl[0]) && isnan(kl[1]), "%g and %g", kl[0], kl[1]);
        ck_assert(isfinite(kl[2]));
    }
    free(sums);
    cov_grid_free(&grid);
}
END_TEST

/* -- Estimates of every kind ------------------------------------------------------------------ */

static void ck_label(const EstimateOptions *options, const Variance *kind, const char *label)
{
    const EstimateLabel got = estimate_label(options, kind);
    ck_assert_str_eq(got.text, label);
}

/* What NPR's estimate becomes where, before anything is done to it, it is -0.2, 0.4, 1.6 and 0.2. */
static void ck_npr(const EstimateOptions *options, const double expected[4], const char *label)
{
    enum { T = 700 };
    use_schedule(SCHEDULE_LINEAR, 1000);
    const double unit = schedule.beta_bar[T] / schedule.alpha_bar[T];
    const float g[4] = {(float)(-0.2 / unit), (float)(0.4 / unit), (float)(1.6 / unit),
                        (float)(0.2 / unit)};
    const float zero[4] = {0};
    float cov[4];
    const EstimateSource source = {.schedule = &schedule, .dims = 4, .options = *options};
    estimate_cov_x0(&source, &variance_npr, T, zero, zero, g, cov);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(cov[i], expected[i], 1e-6);
    ck_label(options, &variance_npr, label);
}

START_TEST(the_average_comes_before_the_clip)
{
    EstimateOptions options = estimate_defaults();
    ck_npr(&options, (const double[4]){0, 0.4, 1, 0.2}, "npr");
    ck_assert(!estimate_is_scalar(&options, &variance_npr));

    options.average = true; /* 2.0 / 4, and not 1.6 / 4 */
    ck_npr(&options, (const double[4]){0.5, 0.5, 0.5, 0.5}, "npr-average");
    ck_assert(estimate_is_scalar(&options, &variance_npr));
    ck_label(&options, &variance_analytic, "analytic");
}
END_TEST

START_TEST(the_scale_comes_after_the_clip)
{
    EstimateOptions options = estimate_defaults();
    options.scale = 2.5;
    ck_npr(&options, (const double[4]){0, 1, 2.5, 0.5}, "npr-x2.5");
    options.average = true;
    ck_npr(&options, (const double[4]){1.25, 1.25, 1.25, 1.25}, "npr-average-x2.5");

    const EstimateSource source = {.schedule = &schedule, .dims = 1, .options = options};
    float fixed;
    estimate_cov_x0(&source, &variance_beta, 700, NULL, NULL, NULL, &fixed); /* no estimate */
    ck_assert_double_eq_tol(fixed, schedule.beta_bar[700], 1e-6);
    ck_label(&options, &variance_beta, "beta");
}
END_TEST

/* One comparison has NPR with a floor beside nll, which needs none. */
START_TEST(a_floor_leaves_a_positive_estimate_as_it_is)
{
    EstimateOptions options = estimate_defaults();
    use_schedule(SCHEDULE_LINEAR, 1000);
    const float l[3] = {-9, -1, 2};
    float with[3], without[3];
    EstimateSource source = {.schedule = &schedule, .dims = 3, .options = options};
    estimate_cov_x0(&source, &variance_nll, 300, NULL, NULL, l, without);
    options.floor = source.options.floor = 0.9;
    estimate_cov_x0(&source, &variance_nll, 300, NULL, NULL, l, with);
    ck_assert_mem_eq(with, without, sizeof with);
    ck_assert(with[0] < 0.9f * (with[0] + with[1] + with[2]) / 3);
    ck_label(&options, &variance_nll, "nll");
    ck_label(&options, &variance_nll_block, "nll_block");
}
END_TEST

START_TEST(the_floor_is_between_the_clip_and_the_scale)
{
    EstimateOptions options = estimate_defaults();
    options.floor = 0.75; /* of 0.4, the mean of what is clipped */
    ck_npr(&options, (const double[4]){0.3, 0.4, 1, 0.3}, "npr-floor0.75");
    ck_label(&options, &variance_true, "true-floor0.75");
    ck_label(&options, &variance_analytic_diag, "analytic_diag-floor0.75");
    ck_label(&options, &variance_analytic, "analytic");
    ck_label(&options, &variance_beta, "beta");

    options.scale = 2;
    ck_npr(&options, (const double[4]){0.6, 0.8, 2, 0.6}, "npr-floor0.75-x2");
    options.average = true; /* one number has none below it */
    ck_npr(&options, (const double[4]){1, 1, 1, 1}, "npr-average-x2");
}
END_TEST

START_TEST(what_is_nothing_is_beta_tilde)
{
    EstimateOptions options = estimate_defaults();
    ck_assert(estimate_is_zero(&options, &variance_beta_tilde));
    ck_assert(!estimate_is_zero(&options, &variance_sn));
    options.scale = 0;
    ck_npr(&options, (const double[4]){0, 0, 0, 0}, "npr-x0");
    ck_assert(estimate_is_zero(&options, &variance_sn));
    ck_assert(!estimate_is_zero(&options, &variance_beta)); /* which has no scale */
}
END_TEST

SUITE_MAIN("likelihood", steps_are_what_they_are_defined_as, a_step_of_no_length_is_free, any_kappa,
           impossible_variances_are_no_number, the_mean_is_clipped, levels_share_the_probability,
           the_grid_is_the_sum, the_grid_is_the_sum_of_larger_estimates,
           a_grid_of_negligible_steps_costs_nothing, the_grid_does_not_hide_a_nan,
           the_average_comes_before_the_clip, the_scale_comes_after_the_clip,
           the_floor_is_between_the_clip_and_the_scale, a_floor_leaves_a_positive_estimate_as_it_is,
           what_is_nothing_is_beta_tilde)
