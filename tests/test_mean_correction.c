/* Tests of the corrections of the mean against the golden steps, of their labels, and of the search
 * for the best one. (Rows of tables with them: tests/cli/infer_corrections.sh.) */
#include "tests/golden.h"
#include "tests/reverse_steps.h"

#include "diffusion/mean_correction.h"
#include "stats/golden_section.h"
#include "variance/step_sample.h"

static const char *const files[] = {"tests/golden/golden_a_variances.h5",
                                    "tests/golden/golden_b_variances.h5"};
static const char *const checkpoints[] = {"tests/golden/golden_a.h5", "tests/golden/golden_b.h5"};

/* The inputs of /meanside of a file, in the order NCHW. */
typedef struct Meanside {
    const char *file;
    int s, t;
    int64_t dims[GOLDEN_MAX_RANK];
    size_t count;
    float *x, *eps_hat, *sn, *npr, *z;
} Meanside;

static Meanside meanside_read(int which)
{
    int rank;
    Meanside m = {.file = files[which]};
    char *config = golden_string(checkpoints[which], "config");
    use_schedule(strstr(config, "cosine") ? SCHEDULE_COSINE : SCHEDULE_LINEAR,
                 atoi(strstr(config, "timesteps: ") + 11));
    free(config);
    m.x = golden_floats(m.file, "meanside/x", &rank, m.dims);
    m.count = golden_count(rank, m.dims);
    m.eps_hat = golden_floats(m.file, "meanside/eps_hat", NULL, NULL);
    m.sn = golden_floats(m.file, "meanside/sn", NULL, NULL);
    m.npr = golden_floats(m.file, "meanside/npr", NULL, NULL);
    m.z = golden_floats(m.file, "meanside/z", NULL, NULL);
    m.s = (int)golden_attr_int(m.file, "meanside", "s");
    m.t = (int)golden_attr_int(m.file, "meanside", "t");
    return m;
}

static void meanside_free(Meanside *m)
{
    free(m->x), free(m->eps_hat), free(m->sn), free(m->npr), free(m->z);
}

static void check_array(const Meanside *m, const char *dataset, const float *got)
{
    float *want = golden_floats(m->file, dataset, NULL, NULL);
    const double tolerance = golden_tolerance(m->file, dataset);
    for (size_t i = 0; i < m->count; i++)
        ck_assert_msg(fabs((double)got[i] - (double)want[i]) <= tolerance,
                      "%s %s [%zu]: %.9g, expected %.9g +- %.2g", m->file, dataset, i, got[i],
                      want[i], tolerance);
    free(want);
}

/* Checks the step's mean, and its sample if the file has one. */
static void check_step(const Meanside *m, const char *group, ReverseOptions options,
                       const Variance *variance, bool has_sample)
{
    const ReverseStep step = reverse_step(&schedule, &options, m->s, m->t);
    const EstimateSource source = {
        .schedule = &schedule, .dims = m->count, .options = estimate_defaults()};
    const float *head = strcmp(variance->head, "sn") == 0 ? m->sn : m->npr;
    float *cov = memory_small(m->count, sizeof *cov), *out = memory_small(m->count, sizeof *out);
    char name[128];
    for (size_t i = 0; i < m->count; i++)
        out[i] = (float)reverse_mean(&step, m->x[i], m->eps_hat[i]);
    snprintf(name, sizeof name, "meanside/%s/mean", group);
    check_array(m, name, out);
    if (has_sample) {
        step_sample(&source, variance, &step, m->x, m->eps_hat, head, NULL, m->z, cov, out);
        snprintf(name, sizeof name, "meanside/%s/sample", group);
        check_array(m, name, out);
    }
    memory_free(cov);
    memory_free(out);
}

START_TEST(scaled_steps_are_golden)
{
    for (int which = 0; which < 2; which++) {
        Meanside m = meanside_read(which);
        ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
        options.variance = variance_npr.step;
        check_step(&m, "ddpm_plain", options, &variance_npr, true);
        options.correction.eps_scale = golden_attr(m.file, "meanside", "eps_scale");
        check_step(&m, "ddpm_scaled", options, &variance_npr, true);
        options.clip_x0 = false;
        check_step(&m, "ddpm_scaled_noclip", options, &variance_npr, false);

        options = reverse_defaults(SAMPLER_DDIM);
        options.variance = variance_sn.step;
        check_step(&m, "ddim0_sn", options, &variance_sn, true);
        options.correction.eps_scale = golden_attr(m.file, "meanside", "eps_scale");
        check_step(&m, "ddim0_sn_scaled", options, &variance_sn, false);
        options.correction.eps_scale = 1;
        options.eta = 0.5;
        check_step(&m, "ddim_half_sn", options, &variance_sn, true);
        meanside_free(&m);
    }
}
END_TEST

/* values [count] in the order NHWC := those in the order NCHW, or back. */
static void reorder(const Meanside *m, float *values, bool back)
{
    const size_t n = (size_t)m->dims[0], c = (size_t)m->dims[1];
    const size_t h = (size_t)m->dims[2], w = (size_t)m->dims[3];
    if (back)
        golden_to_nhwc(values, n, h * w, 1, c);
    else
        golden_to_nhwc(values, n, c, h, w);
}

static void check_dcw(const Meanside *m, const char *name, MeanCorrection correction)
{
    const size_t image = m->count / (size_t)m->dims[0];
    const double w = golden_attr(m->file, "meanside", "dcw_w");
    float *x = golden_floats(m->file, "meanside/ddpm_plain/sample", NULL, NULL);
    float *x0_hat = golden_floats(m->file, "meanside/ddpm_plain/x0_hat", NULL, NULL);
    reorder(m, x, false);
    reorder(m, x0_hat, false);
    for (size_t i = 0; i < m->count; i += image)
        mean_correction_dcw(&correction, w, (int)m->dims[2], (int)m->dims[3], (int)m->dims[1],
                            x0_hat + i, x + i);
    reorder(m, x, true);
    check_array(m, name, x);
    free(x), free(x0_hat);
}

START_TEST(dcw_is_golden)
{
    for (int which = 0; which < 2; which++) {
        Meanside m = meanside_read(which);
        const double low = golden_attr(m.file, "meanside", "dcw_low");
        const double high = golden_attr(m.file, "meanside", "dcw_high");
        const double w = golden_attr(m.file, "meanside", "dcw_w");
        check_dcw(&m, "meanside/dcw/low", (MeanCorrection){.dcw_low = low});
        check_dcw(&m, "meanside/dcw/high", (MeanCorrection){.dcw_high = high});
        check_dcw(&m, "meanside/dcw/both", (MeanCorrection){.dcw_low = low, .dcw_high = high});
        /* Equal factors in all bands are no transform. */
        check_dcw(&m, "meanside/dcw/pixel",
                  (MeanCorrection){.dcw_low = low / w, .dcw_high = low / (1 - w)});
        meanside_free(&m);
    }
}
END_TEST

/* A side of 3: the last row and column are blocks with zeros beyond the edge. */
START_TEST(dcw_continues_an_odd_side_by_zeros)
{
    float x[9], zero[9] = {0};
    for (int i = 0; i < 9; i++)
        x[i] = 1;
    const MeanCorrection correction = {.dcw_low = 1};
    mean_correction_dcw(&correction, 1, 3, 3, 1, zero, x);
    const float want[9] = {2, 2, 1.5f, 2, 2, 1.5f, 1.5f, 1.5f, 1.25f};
    for (int i = 0; i < 9; i++)
        ck_assert_float_eq_tol(x[i], want[i], 1e-6);
}
END_TEST

START_TEST(the_weight_falls_from_one_to_the_least_noise)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    check_close(mean_correction_weight(&schedule, 1000), 1, 1e-14, "at N");
    check_close(mean_correction_weight(&schedule, 1), 0.01, 1e-4, "at 1");
    for (int t = 2; t <= 1000; t++)
        ck_assert_double_gt(mean_correction_weight(&schedule, t),
                            mean_correction_weight(&schedule, t - 1));
}
END_TEST

START_TEST(the_variance_does_not_depend_on_the_correction)
{
    use_schedule(SCHEDULE_LINEAR, 1000);
    for (int sampler = SAMPLER_DDPM; sampler <= SAMPLER_DDIM; sampler++) {
        ReverseOptions options = options_of((Sampler)sampler, 0.3, &variance_sn);
        const ReverseStep plain = reverse_step(&schedule, &options, 200, 400);
        options.correction.eps_scale = 1.25;
        const ReverseStep scaled = reverse_step(&schedule, &options, 200, 400);
        ck_assert(scaled.gain == plain.gain && scaled.lambda2 == plain.lambda2);
        check_close(scaled.x0_eps, plain.x0_eps / 1.25, 1e-15, "x0_eps");
        check_close(scaled.mean_eps, plain.mean_eps / 1.25, 1e-15, "mean_eps");
    }
}
END_TEST

START_TEST(labels_name_what_changes)
{
    char text[64] = "sn";
    mean_correction_label(&(MeanCorrection){0}, text, sizeof text);
    mean_correction_label(&(MeanCorrection){.eps_scale = 1}, text, sizeof text);
    ck_assert_str_eq(text, "sn");
    mean_correction_label(&(MeanCorrection){1.005, 0.05, -0.01}, text, sizeof text);
    ck_assert_str_eq(text, "sn-eps1.005-low0.05-high-0.01");
    ck_assert(mean_correction_equal(&(MeanCorrection){0}, &(MeanCorrection){.eps_scale = 1}));
    ck_assert(!mean_correction_equal(&(MeanCorrection){0}, &(MeanCorrection){.dcw_high = 1}));
}
END_TEST

START_TEST(impossible_corrections)
{
    const MeanCorrection bad[] = {{-1, 0, 0}, {NAN, 0, 0}, {1, INFINITY, 0}, {1, 0, NAN}};
    for (int i = 0; i < 4; i++) {
        Error error = {0};
        ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
        options.correction = bad[i];
        ck_assert(!reverse_check(&options, &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        ck_assert(strstr(error.message, i < 2 ? "eps-scale" : "dcw") != NULL);
    }
}
END_TEST

/* -- The search ------------------------------------------------------------------------------- */

static int calls;

/* A valley with its bottom at *context; NAN beyond 2. */
static bool valley(void *context, double x, double *value, Error *error)
{
    const double *bottom = context;
    calls++;
    *value = x > 2 ? NAN : fabs(x - *bottom) + 3;
    return x >= -10 || error_runtime(error, "too far");
}

START_TEST(the_search_finds_the_bottom)
{
    double bottoms[] = {-0.9, 0, 0.123, 1.7}, best, least;
    for (int i = 0; i < 4; i++) {
        Error error = {0};
        const Scalar function = {.value = valley, .context = &bottoms[i]};
        calls = 0;
        must(golden_section(&function, -1, 3, 20, &best, &least, &error), &error);
        ck_assert_int_eq(calls, 20);
        ck_assert_double_eq_tol(best, bottoms[i], 4 * pow(0.6181, 19));
        ck_assert_double_eq_tol(least, 3, 4 * pow(0.6181, 19));
    }
}
END_TEST

START_TEST(a_value_that_fails_ends_the_search)
{
    double bottom = 0, best, least;
    const Scalar function = {.value = valley, .context = &bottom};
    Error error = {0};
    calls = 0;
    ck_assert(!golden_section(&function, -100, 1, 20, &best, &least, &error));
    ck_assert_int_eq(calls, 1);
}
END_TEST

SUITE_MAIN("mean_correction", scaled_steps_are_golden, dcw_is_golden,
           dcw_continues_an_odd_side_by_zeros, the_weight_falls_from_one_to_the_least_noise,
           the_variance_does_not_depend_on_the_correction, labels_name_what_changes,
           impossible_corrections, the_search_finds_the_bottom, a_value_that_fails_ends_the_search)
