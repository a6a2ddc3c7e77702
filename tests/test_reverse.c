/* Tests of reverse steps. The coefficients are compared with other derivations of the same
 * quantities: Bayes' rule, finite differences, exact propagation of a Gaussian. Further tests cover
 * limiting cases and the traps of clipping. (With a network, test_infer.c compares steps with the
 * golden samples.) */
#include "base/random.h"
#include "diffusion/trajectory.h"
#include "tests/reverse_steps.h"
#include "variance/step_sample.h"

/* Pairs s < t over both schedules: neighbours, long steps, the ends. */
static const struct {
    ScheduleKind kind;
    int timesteps, s, t;
} pairs[] = {
    {SCHEDULE_LINEAR, 1000, 0, 1},     {SCHEDULE_LINEAR, 1000, 1, 2},
    {SCHEDULE_LINEAR, 1000, 499, 500}, {SCHEDULE_LINEAR, 1000, 999, 1000},
    {SCHEDULE_LINEAR, 1000, 1, 251},   {SCHEDULE_LINEAR, 1000, 750, 1000},
    {SCHEDULE_LINEAR, 1000, 0, 1000},  {SCHEDULE_COSINE, 200, 0, 1},
    {SCHEDULE_COSINE, 200, 1, 51},     {SCHEDULE_COSINE, 200, 150, 200},
    {SCHEDULE_COSINE, 200, 199, 200},  {SCHEDULE_COSINE, 1000, 30, 31},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

/* -- Coefficients ----------------------------------------------------------------------------- */

/* Given x_0, x_s is N(sqrt(alpha_bar_s) x_0, beta_bar_s), and x_t given x_s is
 * N(sqrt(alpha_{t|s}) x_s, beta_{t|s}). Bayes' rule for Gaussians adds precisions. */
START_TEST(ddpm_is_bayes_rule)
{
    for (int i = 0; i < PAIRS; i++) {
        int s = pairs[i].s, t = pairs[i].t;
        if (s == 0)
            continue; /* no variance there, no precision */
        use_schedule(pairs[i].kind, pairs[i].timesteps);
        double abar_s = schedule.alpha_bar[s], bbar_s = schedule.beta_bar[s];
        double alpha = schedule.alpha_bar[t] / abar_s, beta = schedule_skip_beta(&schedule, s, t);
        double precision = 1 / bbar_s + alpha / beta;

        ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_beta_tilde);
        ReverseStep step = reverse_step(&schedule, &options, s, t);
        check_close(step.lambda2, 1 / precision, 1e-10, "lambda2");
        check_close(step.mean_x0, sqrt(abar_s) / bbar_s / precision, 1e-10, "mean_x0");
        check_close(step.mean_xt, sqrt(alpha) / beta / precision, 1e-10, "mean_xt");
        ck_assert(step.mean_eps == 0);
        ck_assert(step.fixed_variance == step.lambda2);

        options.variance = variance_beta.step;
        step = reverse_step(&schedule, &options, s, t);
        check_close(step.fixed_variance, schedule_skip_beta(&schedule, s, t), 0, "beta");
        check_close(step.lambda2, 1 / precision, 1e-10, "lambda2 beside beta");
    }
}
END_TEST

/* Whatever eta, when x_t comes from x_0 and eps, x_s must come out distributed as the forward
 * process has it: mean sqrt(alpha_bar_s) x_0 over eps, variance beta_bar_s in all. */
START_TEST(ddim_keeps_the_marginals)
{
    const double etas[] = {0, 0.5, 1};
    for (int i = 0; i < PAIRS; i++) {
        use_schedule(pairs[i].kind, pairs[i].timesteps);
        int s = pairs[i].s, t = pairs[i].t;
        for (int e = 0; e < 3; e++) {
            ReverseOptions options = options_of(SAMPLER_DDIM, etas[e], &variance_beta_tilde);
            ReverseStep step = reverse_step(&schedule, &options, s, t);
            double x0 = 0.3, eps = -1.7;
            double x_t = sqrt(schedule.alpha_bar[t]) * x0 + sqrt(schedule.beta_bar[t]) * eps;
            double mean = reverse_mean(&step, x_t, eps);
            double per_eps = (mean - sqrt(schedule.alpha_bar[s]) * x0) / eps;
            ck_assert_double_eq_tol(per_eps * per_eps + step.lambda2, schedule.beta_bar[s], 1e-11);
            ck_assert_double_eq_tol(reverse_x0_hat(&step, x_t, eps), x0, 1e-8);
            check_close(step.lambda2, etas[e] * etas[e] * schedule_beta_tilde(&schedule, s, t),
                        1e-15, "lambda2");
        }
    }
}
END_TEST

/* DDIM(1) is DDPM as long as x_0_hat is not clipped: the mean at any x_t and eps_hat, lambda^2
 * and the gain. */
START_TEST(ddim_at_eta_one_is_ddpm)
{
    for (int i = 0; i < PAIRS; i++) {
        use_schedule(pairs[i].kind, pairs[i].timesteps);
        int s = pairs[i].s, t = pairs[i].t;
        ReverseOptions ddpm = options_of(SAMPLER_DDPM, 0, &variance_npr);
        ReverseOptions ddim = options_of(SAMPLER_DDIM, 1, &variance_npr);
        ReverseStep a = reverse_step(&schedule, &ddpm, s, t);
        ReverseStep b = reverse_step(&schedule, &ddim, s, t);
        ck_assert(a.lambda2 == b.lambda2);
        check_close(a.gain, b.gain, 1e-9, "gain");
        const double points[][2] = {{0.3, 0.1}, {-1.1, 0.9}, {2.0, -2.5}};
        for (int p = 0; p < 3; p++) {
            double scale = fmax(1, fabs(a.x0_xt)); /* x_0_hat reaches 1 / sqrt(alpha_bar) */
            ck_assert_double_eq_tol(reverse_mean(&a, points[p][0], points[p][1]),
                                    reverse_mean(&b, points[p][0], points[p][1]), 1e-12 * scale);
        }
    }
}
END_TEST

/* The optimal variance adds (d mean / d x_0)^2 Cov[x_0 | x_t], x_t held fixed (law of total
 * variance): differentiate the mean along eps_hat, which moves x_0_hat with it. */
START_TEST(gain_is_the_slope_squared)
{
    for (int i = 0; i < PAIRS; i++) {
        use_schedule(pairs[i].kind, pairs[i].timesteps);
        const ReverseOptions samplers[] = {
            options_of(SAMPLER_DDPM, 0, &variance_sn), options_of(SAMPLER_DDIM, 0, &variance_sn),
            options_of(SAMPLER_DDIM, 0.5, &variance_sn), options_of(SAMPLER_DDIM, 1, &variance_sn)};
        for (int j = 0; j < 4; j++) {
            ReverseStep step = reverse_step(&schedule, &samplers[j], pairs[i].s, pairs[i].t);
            double rise = reverse_mean(&step, 0, 1) - reverse_mean(&step, 0, -1);
            double run = reverse_x0_hat(&step, 0, 1) - reverse_x0_hat(&step, 0, -1);
            check_close(step.gain, rise * rise / (run * run), 1e-9, "gain");
        }
    }
}
END_TEST

/* The sharpest test of all there is: for data N(m, v), the exact eps_hat is linear in x_t and
 * the exact covariance constant, and with them every step of any length must carry the
 * distribution of x_t exactly into that of x_s. Mean and variance are propagated, not sampled.
 * With beta_tilde instead (not `exact`), the variance must come out too small. */
static void propagate(Sampler sampler, double eta, const Variance *variance, bool exact)
{
    enum { STEPS = 5 };
    const double m = 0.25, v = 0.04;
    int timesteps[STEPS + 1];
    Error error;
    ck_assert(trajectory_make(TRAJECTORY_LINEAR, schedule.timesteps, STEPS, timesteps, &error));
    ReverseOptions options = options_of(sampler, eta, variance);

    int last = timesteps[STEPS];
    double mean = sqrt(schedule.alpha_bar[last]) * m;
    double spread = schedule.alpha_bar[last] * v + schedule.beta_bar[last];
    for (int k = STEPS; k > 1; k--) {
        int t = timesteps[k], s = timesteps[k - 1];
        double abar = schedule.alpha_bar[t], bbar = schedule.beta_bar[t];
        double marginal = abar * v + bbar;
        ReverseStep step = reverse_step(&schedule, &options, s, t);

        /* The mean at two points gives its slope. */
        double out[2];
        for (int x_t = 0; x_t < 2; x_t++)
            out[x_t] = reverse_mean(&step, x_t, sqrt(bbar) * (x_t - sqrt(abar) * m) / marginal);

        /* h and g as perfect heads have them, at x_t = 0: eps_hat is small there, so that SN's
         * difference of float32 numbers is as exact as the others. */
        double residual = abar * v / marginal; /* Var[eps | x_t] = 1 - E[eps_hat^2] */
        float eps_hat = (float)(-sqrt(bbar * abar) * m / marginal), cov = 0;
        float head =
            (float)(variance == &variance_sn ? residual + (double)eps_hat * eps_hat : residual);
        if (!variance_is_fixed(variance))
            cov_of(variance, t, &eps_hat, &head, 1 - residual, true, 1, &cov);
        double slope = out[1] - out[0];
        mean = out[0] + slope * mean;
        spread = slope * slope * spread + reverse_variance(&step, cov);
        double truth = schedule.alpha_bar[s] * v + schedule.beta_bar[s];
        if (exact) {
            check_close(mean, sqrt(schedule.alpha_bar[s]) * m, 1e-9, "propagated mean");
            check_close(spread, truth, 1e-5, "propagated variance"); /* heads are float32 */
        }
    }
    if (!exact)
        ck_assert_double_lt(spread, 0.8 * (schedule.alpha_bar[1] * v + schedule.beta_bar[1]));
}

START_TEST(optimal_variances_carry_a_gaussian_exactly)
{
    const Variance *const optimal[] = {&variance_analytic, &variance_sn, &variance_npr};
    const ScheduleKind kinds[] = {SCHEDULE_LINEAR, SCHEDULE_COSINE};
    for (int k = 0; k < 2; k++) {
        use_schedule(kinds[k], k == 0 ? 1000 : 200);
        for (int i = 0; i < 3; i++) {
            propagate(SAMPLER_DDPM, 0, optimal[i], true);
            propagate(SAMPLER_DDIM, 0, optimal[i], true);
            propagate(SAMPLER_DDIM, 0.5, optimal[i], true);
            propagate(SAMPLER_DDIM, 1, optimal[i], true);
        }
        propagate(SAMPLER_DDPM, 0, &variance_beta_tilde, false);
        propagate(SAMPLER_DDIM, 0, &variance_beta_tilde, false);
    }
}
END_TEST

/* -- Steps ------------------------------------------------------------------------------------ */

/* Trap 1: where the clip acts, DDIM's mean takes the clipped x_0_hat and the network's own
 * eps_hat, not one recomputed from the clipped x_0_hat. */
START_TEST(the_clip_does_not_touch_eps_hat)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    int s = 250, t = 500;
    double x_t = 2.0, eps_hat = 0.5;
    double abar_s = schedule.alpha_bar[s], bbar_s = schedule.beta_bar[s];
    double abar_t = schedule.alpha_bar[t], bbar_t = schedule.beta_bar[t];
    ck_assert_double_gt((x_t - sqrt(bbar_t) * eps_hat) / sqrt(abar_t), 2); /* far outside */

    ReverseOptions options = options_of(SAMPLER_DDIM, 0, &variance_beta_tilde);
    options.clip_x0 = true;
    ReverseStep step = reverse_step(&schedule, &options, s, t);
    double recomputed = (x_t - sqrt(abar_t)) / sqrt(bbar_t);
    check_close(reverse_mean(&step, x_t, eps_hat), sqrt(abar_s) + sqrt(bbar_s) * eps_hat, 1e-14,
                "mean");
    ck_assert_double_gt(fabs(recomputed - eps_hat), 0.5); /* the two readings differ */

    ck_assert(reverse_x0_hat(&step, 2, 0.5) == 1 && reverse_x0_hat(&step, -2, 0.5) == -1);
    options.clip_x0 = false;
    step = reverse_step(&schedule, &options, s, t);
    ck_assert_double_gt(reverse_x0_hat(&step, x_t, eps_hat), 2);
}
END_TEST

/* What noise of 1 adds to the mean in the step from t to s. */
static double sigma_of(const ReverseOptions *options, int s, int t, float cov)
{
    ReverseStep step = reverse_step(&schedule, options, s, t);
    const float zero = 0, one = 1;
    float x_s;
    reverse_step_sample(&step, &zero, &zero, options->variance.is_fixed ? NULL : &cov, &one, 1,
                        &x_s);
    return x_s;
}

/* Trap 4: with index 1 of the trajectory 0, 1, 251, 500, ... only the step to 1 is clipped, with
 * index 2 also the one to 251; 0 turns it off, as does clip_pixel 0. */
START_TEST(sigma_is_clipped_at_the_last_noise_only)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const int timesteps[] = {0, 1, 251, 500, 750, 1000};
    ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_npr);
    options.clip_pixel = 2;
    const float cov = 0.9f;
    double limit = 2 * 2.0 / 255 * sqrt(acos(-1) / 2);
    for (int index = 0; index <= 2; index++) {
        options.clip_sigma_to = timesteps[index];
        for (int k = 1; k <= 5; k++) {
            int s = timesteps[k - 1], t = timesteps[k];
            double sigma = sigma_of(&options, s, t, cov);
            ReverseStep step = reverse_step(&schedule, &options, s, t);
            double free_sigma = sqrt(step.lambda2 + step.gain * (double)cov);
            double expected = s == 0 ? 0 : k - 1 <= index ? fmin(limit, free_sigma) : free_sigma;
            ck_assert_double_eq_tol(sigma, expected, 1e-7);
            if (s > 0)
                ck_assert_double_gt(free_sigma, limit); /* so the clip would be seen */
        }
    }
    options.clip_sigma_to = 1;
    options.clip_pixel = 0;
    ck_assert_double_gt(sigma_of(&options, 1, 251, cov), limit);
    options.clip_pixel = 1;
    check_close(sigma_of(&options, 1, 251, cov), limit / 2, 1e-6, "one grey level");

    /* The clip's lower bound is 0; what is below the upper one is left alone. */
    options.clip_pixel = 2;
    ReverseStep step = reverse_step(&schedule, &options, 1, 251);
    ck_assert(reverse_variance(&step, -5) == 0);
    ck_assert(reverse_variance(&step, 0) == step.lambda2);
}
END_TEST

START_TEST(the_last_step_is_the_mean)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const float x_t[2] = {0.3f, 3}, eps_hat[2] = {0.5f, -1}, noise[2] = {5, 5}, cov[2] = {1, 1};
    for (int sampler = SAMPLER_DDPM; sampler <= SAMPLER_DDIM; sampler++) {
        ReverseOptions options = options_of((Sampler)sampler, 1, &variance_sn);
        options.clip_x0 = true;
        ReverseStep step = reverse_step(&schedule, &options, 0, 1);
        float with[2], without[2];
        reverse_step_sample(&step, x_t, eps_hat, cov, noise, 2, with);
        reverse_step_sample(&step, x_t, eps_hat, cov, NULL, 2, without);
        ck_assert_mem_eq(with, without, sizeof with);
        for (int i = 0; i < 2; i++) {
            double x0_hat =
                (x_t[i] - sqrt(schedule.beta_bar[1]) * eps_hat[i]) / sqrt(schedule.alpha_bar[1]);
            ck_assert_double_eq_tol(with[i], fmin(x0_hat, 1), 1e-7);
        }
    }
}
END_TEST

START_TEST(noise_matters_only_with_a_variance)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const float x_t = 0.3f, eps_hat = 0.2f, noise = 1, cov = 0.1f;
    float with, without;
    ReverseOptions options = options_of(SAMPLER_DDIM, 0, &variance_beta_tilde);
    ReverseStep step = reverse_step(&schedule, &options, 250, 500);
    reverse_step_sample(&step, &x_t, &eps_hat, NULL, &noise, 1, &with);
    reverse_step_sample(&step, &x_t, &eps_hat, NULL, NULL, 1, &without);
    ck_assert(with == without);

    options.variance = variance_sn.step; /* DDIM(0) with a head is not deterministic */
    step = reverse_step(&schedule, &options, 250, 500);
    reverse_step_sample(&step, &x_t, &eps_hat, &cov, &noise, 1, &with);
    ck_assert_double_eq_tol(with - without, sqrt(step.gain * (double)cov), 1e-6);
    reverse_step_sample(&step, &x_t, &eps_hat, &cov, NULL, 1, &with);
    ck_assert(with == without);
}
END_TEST

/* Quad trajectories contain steps t -> t: nothing moves, nothing is a NaN. */
START_TEST(a_step_to_the_same_timestep_stays)
{
    enum { COUNT = 3 };
    const float x_t[COUNT] = {0.3f, -2.5f, 4.0f}, eps_hat[COUNT] = {1.0f, -0.5f, 0.1f};
    const float noise[COUNT] = {3, -3, 1}, cov[COUNT] = {0, 1, 0.5f};
    for (int kind = SCHEDULE_LINEAR; kind <= SCHEDULE_COSINE; kind++) {
        use_schedule((ScheduleKind)kind, 1000);
        const int where[] = {1, 2, 400, 801};
        for (int i = 0; i < 4; i++) {
            for (int variance = 0; variance < VARIANCE_COUNT; variance++) {
                ReverseOptions options = options_of(SAMPLER_DDPM, 0, variance_table[variance]);
                bool fixed = options.variance.is_fixed;
                options.clip_x0 = true;
                float x_s[COUNT];
                ReverseStep step = reverse_step(&schedule, &options, where[i], where[i]);
                reverse_step_sample(&step, x_t, eps_hat, fixed ? NULL : cov, noise, COUNT, x_s);
                ck_assert_mem_eq(x_s, x_t, sizeof x_s);

                options = options_of(SAMPLER_DDIM, 0.5, variance_table[variance]);
                step = reverse_step(&schedule, &options, where[i], where[i]);
                reverse_step_sample(&step, x_t, eps_hat, fixed ? NULL : cov, noise, COUNT, x_s);
                for (int j = 0; j < COUNT; j++)
                    ck_assert_double_eq_tol(x_s[j], x_t[j], 1e-6);
            }
        }
    }
}
END_TEST

/* Trap 11: at t = N the two terms of x_0_hat are 20000 times larger than their difference. The
 * step must lose nothing beyond the float32 inputs: compare with long double. */
START_TEST(large_factors_cost_no_digits)
{
    use_schedule(SCHEDULE_COSINE, 1000);
    int t = 1000;
    const float x0 = 0.7f, eps = 1.375f;
    long double abar = expl(schedule.log_alpha_bar[t]);
    float x_t = (float)(sqrtl(abar) * x0 + sqrtl(1 - abar) * eps);
    ReverseOptions options = options_of(SAMPLER_DDIM, 0, &variance_beta_tilde);
    ReverseStep step = reverse_step(&schedule, &options, 0, t);
    float x_s;
    reverse_step_sample(&step, &x_t, &eps, NULL, NULL, 1, &x_s);
    long double exact = (x_t - sqrtl(1 - abar) * eps) / sqrtl(abar);
    ck_assert_double_gt(step.x0_xt, 20000);
    ck_assert_double_eq_tol(x_s, (double)exact, 1e-7);
}
END_TEST

START_TEST(a_step_may_be_done_in_place)
{
    enum { COUNT = 37 };
    use_schedule(SCHEDULE_LINEAR, 1000);
    float x[COUNT], eps_hat[COUNT], noise[COUNT], cov[COUNT], apart[COUNT];
    RandomKey key = {.seed = 3, .purpose = RANDOM_NOISE};
    float *const inputs[] = {x, eps_hat, noise, cov};
    for (uint32_t i = 0; i < 4; i++) {
        key.step = i;
        random_normal(key, inputs[i], COUNT);
    }
    ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_sn);
    options.clip_x0 = true;
    ReverseStep step = reverse_step(&schedule, &options, 100, 200);
    reverse_step_sample(&step, x, eps_hat, cov, noise, COUNT, apart);
    reverse_step_sample(&step, x, eps_hat, cov, noise, COUNT, x);
    ck_assert_mem_eq(x, apart, sizeof x);
}
END_TEST

/* -- Options ---------------------------------------------------------------------------------- */

START_TEST(defaults)
{
    ReverseOptions ddpm = reverse_defaults(SAMPLER_DDPM), ddim = reverse_defaults(SAMPLER_DDIM);
    ck_assert(ddpm.clip_x0 && ddim.clip_x0 && ddim.eta == 0);
    ck_assert(ddpm.clip_pixel == 2 && ddim.clip_pixel == 1);
    ck_assert(ddpm.clip_sigma_to == 0); /* a sampler sets it from its trajectory */
    Error error = {0};
    ck_assert(reverse_check(&ddpm, &error) && reverse_check(&ddim, &error));
}
END_TEST

static void check_refused(ReverseOptions options, const char *word)
{
    Error error = {0};
    ck_assert(!reverse_check(&options, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_msg(strstr(error.message, word) != NULL, "\"%s\"", error.message);
}

START_TEST(impossible_options)
{
    const double etas[] = {-0.1, 1.1, NAN, INFINITY};
    const double pixels[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 4; i++)
        check_refused(options_of(SAMPLER_DDIM, etas[i], &variance_sn), "eta");
    for (int i = 0; i < 3; i++) {
        ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
        options.clip_pixel = pixels[i];
        check_refused(options, "clip-pixel");
    }
    ReverseOptions fine = options_of(SAMPLER_DDPM, 7, &variance_beta); /* eta is not DDPM's */
    Error error = {0};
    ck_assert(reverse_check(&fine, &error));
}
END_TEST

SUITE_MAIN("reverse", ddpm_is_bayes_rule, ddim_keeps_the_marginals, ddim_at_eta_one_is_ddpm,
           gain_is_the_slope_squared, optimal_variances_carry_a_gaussian_exactly,
           the_clip_does_not_touch_eps_hat, sigma_is_clipped_at_the_last_noise_only,
           the_last_step_is_the_mean, noise_matters_only_with_a_variance,
           a_step_to_the_same_timestep_stays, large_factors_cost_no_digits,
           a_step_may_be_done_in_place, defaults, impossible_options)
