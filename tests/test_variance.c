/* Tests of the variances: their estimates of Cov[x_0 | x_t], the table, the noise that a variance may
 * draw by itself. (Steps with them: test_reverse.c. Their bounds: test_bound.c.) */
#include "base/random.h"
#include "tests/reverse_steps.h"
#include "variance/step_sample.h"

#include <string.h>

/* -- Covariances ------------------------------------------------------------------------------ */

START_TEST(covariances_of_each_kind)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    int t = 300;
    double scale = schedule.beta_bar[t] / schedule.alpha_bar[t];
    const float eps_hat[3] = {0.5f, -1.25f, 0.0f};
    const float head[3] = {0.75f, 1.875f, 0.125f};
    float cov[3];

    cov_of(&variance_sn, t, eps_hat, head, 0, false, 3, cov);
    const double sn[3] = {0.5, 1.875 - 1.5625, 0.125};
    for (int i = 0; i < 3; i++)
        check_close(cov[i], scale * sn[i], 1e-7, "sn");

    cov_of(&variance_npr, t, NULL, head, 0, false, 3, cov);
    for (int i = 0; i < 3; i++)
        check_close(cov[i], scale * head[i], 1e-7, "npr");

    cov_of(&variance_analytic, t, NULL, NULL, 0.9, false, 3, cov);
    for (int i = 0; i < 3; i++)
        check_close(cov[i], scale * 0.1, 1e-7, "analytic");

    cov_of(&variance_analytic_diag, t, NULL, head, 0.9, false, 3, cov);
    for (int i = 0; i < 3; i++)
        check_close(cov[i], scale * (1 - head[i]), 1e-7, "analytic_diag");
}
END_TEST

/* When h = g + eps_hat^2 the two heads say the same. */
START_TEST(sn_and_npr_agree_when_consistent)
{
    enum { COUNT = 64 };
    use_schedule(SCHEDULE_COSINE, 200);
    float eps_hat[COUNT], g[COUNT], h[COUNT], sn[COUNT], npr[COUNT];
    random_normal((RandomKey){.seed = 1, .purpose = RANDOM_NOISE}, eps_hat, COUNT);
    for (int i = 0; i < COUNT; i++) {
        g[i] = 0.01f * (float)(i + 1);
        h[i] = g[i] + eps_hat[i] * eps_hat[i];
    }
    for (int t = 1; t <= 200; t += 33) {
        cov_of(&variance_sn, t, eps_hat, h, 0, true, COUNT, sn);
        cov_of(&variance_npr, t, eps_hat, g, 0, true, COUNT, npr);
        for (int i = 0; i < COUNT; i++) /* h is rounded: 6e-8 of up to 10 beside 0.01 */
            ck_assert_double_eq_tol(sn[i], npr[i],
                                    1e-6 * schedule.beta_bar[t] / schedule.alpha_bar[t]);
    }
}
END_TEST

/* Trap 5: an SN head below eps_hat^2 gives a negative covariance; clipped it is 0, and not
 * clipped it must not become a NaN on the way to an image. The other bound is 1. */
START_TEST(negative_and_large_covariances)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    int t = 750, s = 500;
    const float eps_hat[2] = {1.5f, 0.25f}, head[2] = {1.0f, 3.0f}, noise[2] = {1, 1};
    const float x_t[2] = {0.4f, 0.2f};
    float cov[2], x_s[2];
    cov_of(&variance_sn, t, eps_hat, head, 0, true, 2, cov);
    ck_assert(cov[0] == 0 && cov[1] == 1);

    cov_of(&variance_sn, t, eps_hat, head, 0, false, 2, cov);
    ck_assert(cov[0] < -1 && cov[1] > 1);
    ReverseOptions options = options_of(SAMPLER_DDIM, 0, &variance_sn);
    ReverseStep step = reverse_step(&schedule, &options, s, t);
    ck_assert(reverse_variance(&step, cov[0]) < 0);
    reverse_step_sample(&step, x_t, eps_hat, cov, noise, 2, x_s);
    ck_assert(x_s[0] == (float)reverse_mean(&step, x_t[0], eps_hat[0]));
    check_close(x_s[1], reverse_mean(&step, x_t[1], eps_hat[1]) + sqrt(step.gain * cov[1]), 1e-6,
                "sample");
}
END_TEST

/* A clip must not launder what went wrong before it. */
START_TEST(not_a_number_stays_one)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    const float bad = NAN, good = 0.5f, noise = 1;
    float cov, x_s;
    cov_of(&variance_npr, 500, &good, &bad, 0, true, 1, &cov);
    ck_assert(isnan(cov));

    ReverseOptions options = options_of(SAMPLER_DDPM, 0, &variance_npr);
    options.clip_x0 = true;
    options.clip_sigma_to = 1;
    ReverseStep step = reverse_step(&schedule, &options, 1, 500);
    reverse_step_sample(&step, &good, &good, &cov, &noise, 1, &x_s);
    ck_assert(isnan(x_s));
    ck_assert(isnan(reverse_x0_hat(&step, 0, NAN)) && isnan(reverse_x0_hat(&step, NAN, 0)));
    cov = 0.1f;
    reverse_step_sample(&step, &good, &bad, &cov, &noise, 1, &x_s);
    ck_assert(isnan(x_s));
}
END_TEST

/* -- The table --------------------------------------------------------------------------------- */

/* Whether a list such as "beta, sn or npr" has the name. */
static bool has_word(const char *list, const char *name)
{
    char padded[512], word[64];
    snprintf(padded, sizeof padded, " %s,", list);
    for (char *c = padded; *c; c++)
        *c = *c == ',' ? ' ' : *c;
    snprintf(word, sizeof word, " %s ", name);
    return strstr(padded, word) != NULL;
}

/* The message names the variances of the table that ddim takes. */
START_TEST(ddim_takes_no_share_of_beta)
{
    const Variance half = {.name = "half", .step = {.is_fixed = true, .beta_share = 0.5}};
    const Variance *const refused[] = {&variance_beta, &half, &variance_learned};
    for (int i = 0; i < 3; i++) {
        Error error = {0};
        char beginning[128];
        const ReverseOptions ddim = options_of(SAMPLER_DDIM, 1, refused[i]);
        const ReverseOptions ddpm = options_of(SAMPLER_DDPM, 0, refused[i]);
        ck_assert(variance_check_step(refused[i], &ddpm, &error));
        ck_assert(!variance_check_step(refused[i], &ddim, &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        snprintf(beginning, sizeof beginning, "the variance %s is DDPM's; with ddim take ",
                 refused[i]->name);
        ck_assert_int_eq(strncmp(error.message, beginning, strlen(beginning)), 0);
        for (int v = 0; v < VARIANCE_COUNT; v++) {
            const Variance *variance = variance_table[v];
            const bool taken = variance != &variance_learned &&
                               (!variance_is_fixed(variance) || variance_knows_x0(variance));
            ck_assert_msg(has_word(error.message + strlen(beginning), variance_table[v]->name) ==
                              taken,
                          "%s in: %s", variance_table[v]->name, error.message);
        }
    }
}
END_TEST

START_TEST(names)
{
    /* Stored keys contain these indices. */
    const char *const first[] = {"beta", "beta_tilde", "analytic", "analytic_diag",
                                 "sn",   "npr",        "true"};
    const char *const heads[] = {NULL, NULL, NULL, NULL, "sn", "npr", NULL};
    Error error = {0};
    for (int i = 0; i < 7; i++) {
        ck_assert_str_eq(variance_table[i]->name, first[i]);
        ck_assert_pstr_eq(variance_table[i]->head, heads[i]);
        ck_assert(variance_is_fixed(variance_table[i]) == (i < 2));
    }
    for (int i = 0; i < VARIANCE_COUNT; i++) {
        const Variance *kind;
        ck_assert(variance_parse(variance_table[i]->name, &kind, &error) &&
                  kind == variance_table[i]);
    }
    const Variance *kind;
    ck_assert(variance_parse("exact", &kind, &error) &&
              kind == &variance_true); /* its former name */
    ck_assert(!variance_parse("betatilde", &kind, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_ptr_nonnull(strstr(error.message, "beta_tilde"));

    Sampler sampler;
    ck_assert(sampler_parse("ddpm", &sampler, &error) && sampler == SAMPLER_DDPM);
    ck_assert(sampler_parse("ddim", &sampler, &error) && sampler == SAMPLER_DDIM);
    ck_assert(!sampler_parse("", &sampler, &error));
    ck_assert_str_eq(sampler_name(SAMPLER_DDIM), "ddim");
}
END_TEST

/* -- Noise of a variance's own ---------------------------------------------------------------- */

enum { DIMS = 5 };

/* All elements move together. */
static void toy_draw(const VarianceInput *input, const ReverseStep *step, const float *cov,
                     const float *z, float *noise)
{
    for (size_t i = 0; i < input->dims; i++)
        noise[i] = (float)(sqrt(reverse_variance(step, cov[i])) * z[0]);
}

static void toy_cov(const VarianceInput *input, float *cov)
{
    for (size_t i = 0; i < input->dims; i++)
        cov[i] = 0.01f * (float)(i + 1);
}

static void toy_step_variance(const VarianceInput *input, const ReverseStep *step, double *variance)
{
    for (size_t i = 0; i < input->dims; i++)
        variance[i] = schedule_skip_beta(input->schedule, step->s, step->t);
}

static const float toy_x[DIMS] = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f};
static const float toy_eps[DIMS] = {0.5f, 0.1f, -1.0f, 2.0f, 0.3f};
static const float toy_z[DIMS] = {1.5f, -1.0f, 0.25f, 3.0f, -2.0f};

static EstimateSource toy_source(void)
{
    return (EstimateSource){.schedule = &schedule, .dims = DIMS, .options = estimate_defaults()};
}

START_TEST(a_variance_may_draw_its_own_noise)
{
    static const Variance toy = {.name = "toy", .cov = toy_cov, .draw = toy_draw};
    use_schedule(SCHEDULE_LINEAR, 1000);
    const ReverseOptions options = options_of(SAMPLER_DDPM, 0, &toy);
    const ReverseStep step = reverse_step(&schedule, &options, 300, 400);
    EstimateSource source = toy_source();
    source.options.scale = 2; /* draw gets the estimate after the options */
    float cov[DIMS], x_s[DIMS];
    step_sample(&source, &toy, &step, toy_x, toy_eps, NULL, NULL, toy_z, cov, x_s);
    for (int i = 0; i < DIMS; i++) {
        const double noise = sqrt(step.lambda2 + step.gain * 0.02 * (i + 1)) * toy_z[0];
        check_close(x_s[i], reverse_mean(&step, toy_x[i], toy_eps[i]) + noise, 1e-5, "drawn");
    }
    const ReverseStep last = reverse_step(&schedule, &options, 0, 400);
    step_sample(&source, &toy, &last, toy_x, toy_eps, NULL, NULL, NULL, cov, x_s);
    for (int i = 0; i < DIMS; i++)
        ck_assert(x_s[i] == (float)reverse_mean(&last, toy_x[i], toy_eps[i]));
}
END_TEST

/* beta as a variance of a step draws what beta draws; its last noise is bounded too. */
START_TEST(a_variance_of_a_step_scales_the_noise)
{
    static const Variance toy = {
        .name = "toy", .depends_on_step = true, .step_variance = toy_step_variance};
    use_schedule(SCHEDULE_LINEAR, 1000);
    const EstimateSource source = toy_source();
    const int bounded_to[] = {0, 300};
    for (int k = 0; k < 2; k++) {
        ReverseOptions own = options_of(SAMPLER_DDPM, 0, &toy);
        ReverseOptions beta = options_of(SAMPLER_DDPM, 0, &variance_beta);
        own.clip_sigma_to = beta.clip_sigma_to = bounded_to[k];
        const ReverseStep step = reverse_step(&schedule, &own, 300, 400);
        const ReverseStep twin = reverse_step(&schedule, &beta, 300, 400);
        ck_assert(isinf(step.max_variance) == (k == 0));
        float cov[DIMS], x_s[DIMS], want[DIMS];
        step_sample(&source, &toy, &step, toy_x, toy_eps, NULL, NULL, toy_z, cov, x_s);
        step_sample(&source, &variance_beta, &twin, toy_x, toy_eps, NULL, NULL, toy_z, cov, want);
        for (int i = 0; i < DIMS; i++)
            ck_assert_double_eq_tol(x_s[i], want[i], 1e-6);
    }
}
END_TEST

/* Each field of a line of the table agrees with the others. */
START_TEST(the_table_is_consistent)
{
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        const Variance *variance = variance_table[v];
        ck_assert_int_eq(variance_index(variance), v);
        ck_assert(variance->name && variance->help && variance->source);
        ck_assert(variance->depends_on_step ==
                  (variance->step_variance != NULL || variance->reads_jacobian));
        const ReverseVariance step = variance->step;
        ck_assert(variance->depends_on_step + step.is_fixed + (variance->cov != NULL) == 1);
        ck_assert(step.beta_share >= 0 && step.beta_share <= (step.is_fixed ? 1 : 0));
        for (int other = 0; other < v; other++)
            ck_assert_str_ne(variance->name, variance_table[other]->name);
    }
    ck_assert_int_eq(variance_index(NULL), -1);
}
END_TEST

/* The bound takes a fixed variance as an estimate. A step takes it as a number. Both are made of its
 * share of beta. */
static void check_fixed(const Variance *variance)
{
    const int t[] = {2, 40, 500, 1000};
    for (int i = 0; i < 4; i++) {
        const int s = t[i] / 2;
        ReverseOptions options = options_of(SAMPLER_DDPM, 0, variance);
        const ReverseStep fixed = reverse_step(&schedule, &options, s, t[i]);
        options.variance = (ReverseVariance){0};
        const ReverseStep estimated = reverse_step(&schedule, &options, s, t[i]);
        float cov;
        cov_of(variance, t[i], NULL, NULL, 0, true, 1, &cov);
        check_close(reverse_variance(&estimated, (double)cov), reverse_variance(&fixed, 0), 1e-6,
                    variance->name);
    }
}

START_TEST(a_fixed_variance_is_the_step_that_its_estimate_makes)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    for (int v = 0; v < VARIANCE_COUNT; v++)
        if (variance_is_fixed(variance_table[v]))
            check_fixed(variance_table[v]);
}
END_TEST

START_TEST(a_share_of_beta_alone_makes_a_variance)
{
    const Variance half = {.name = "half", .step = {.is_fixed = true, .beta_share = 0.5}};
    use_schedule(SCHEDULE_LINEAR, 1000);
    check_fixed(&half);
    const ReverseOptions options = options_of(SAMPLER_DDPM, 0, &half);
    const ReverseStep step = reverse_step(&schedule, &options, 300, 400);
    const double want = 0.5 * schedule_skip_beta(&schedule, 300, 400) +
                        0.5 * schedule_beta_tilde(&schedule, 300, 400);
    check_close(reverse_variance(&step, 0), want, 1e-15, "half");
}
END_TEST

SUITE_MAIN("variance", covariances_of_each_kind, sn_and_npr_agree_when_consistent,
           negative_and_large_covariances, not_a_number_stays_one, ddim_takes_no_share_of_beta,
           names, a_variance_may_draw_its_own_noise, a_variance_of_a_step_scales_the_noise,
           the_table_is_consistent, a_fixed_variance_is_the_step_that_its_estimate_makes,
           a_share_of_beta_alone_makes_a_variance)
