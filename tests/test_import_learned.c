/* Tests of `infer import`: the variance that a network learned gives the steps and the terms of the
 * bound that the network's own program gives. So do the fixed variances of a network without one. */
#define SUITE_TIMEOUT 900
#include "diffusion/likelihood.h"
#include "tests/imported.h"
#include "variance/learned.h"

static const struct {
    const char *what, *expected;
} networks[] = {
    {"adm.pt --config " IMPORT "adm.json", IMPORT "adm_expected.h5"},
    {"iddpm_learned.pt --config " IMPORT "iddpm_learned.json", IMPORT "iddpm_learned_expected.h5"},
    {"iddpm_plain.pt --config " IMPORT "iddpm_plain.json", IMPORT "iddpm_plain_expected.h5"},
    {"diffusers-learned", IMPORT "diffusers-learned_expected.h5"},
    {"adm_fp16.pt --config " IMPORT "adm_fp16.json", IMPORT "adm_fp16_expected.h5"},
};
enum { IN_DIFFUSION_PROGRAMS = 3, WITH_DIFFUSERS = 4, ALL = 5 };

/* The run of networks[i], opened for `count` images. */
static Network *import_run(int i, int count)
{
    infer_ok("import " IMPORT "%s --run $D/run --fresh", networks[i].what);
    return open_run("run", count);
}

/* -- Outputs ----------------------------------------------------------------------------------- */

START_TEST(a_learned_variance_is_a_second_output)
{
    program_begin();
    for (int i = 0; i < ALL; i++) {
        Network *network = import_run(i, 3);
        const bool has = golden_exists(networks[i].expected, "v");
        ck_assert_int_eq(network_config(network)->model.learned == LEARNED_RANGE, has);
        ck_assert_int_eq(network_find_head(network, "learned") >= 0, has);
        network_close(network);
        if (has)
            check_output("run", "learned", networks[i].expected, "v");
    }
    program_end();
}
END_TEST

/* -- Steps ------------------------------------------------------------------------------------- */

/* Images with the outputs of a network, and the step t -> t - 1 of each. [count, dims] */
typedef struct Steps {
    Network *network;
    const Schedule *schedule;
    int count;
    size_t dims;
    int t[4];
    float *x, *eps, *v; /* v: NULL for a network without a second output */
} Steps;

/* x [count, C, H, W], which becomes NHWC and belongs to the steps. */
static void steps_evaluate(Steps *s, float *x, const int64_t *dims)
{
    const int learned = network_find_head(s->network, "learned");
    s->schedule = network_schedule(s->network);
    s->dims = (size_t)(dims[1] * dims[2] * dims[3]);
    s->x = x;
    s->eps = malloc((size_t)s->count * s->dims * sizeof *s->eps);
    s->v = learned < 0 ? NULL : malloc((size_t)s->count * s->dims * sizeof *s->v);
    Prediction outputs = {.eps = s->eps};
    if (learned >= 0)
        outputs.heads[learned] = s->v;
    assert_ok(network_evaluate(s->network, x, s->t, s->count, &outputs, &error));
}

static void steps_free(Steps *s)
{
    network_close(s->network);
    free(s->x);
    free(s->eps);
    free(s->v);
}

/* log sigma^2 of the step t -> t - 1 for element k of image i. Without a learned variance it is beta,
 * at t = 1 the other fixed variance of t = 2, as improved-diffusion's fixed_large. */
static double log_variance(const Steps *s, int i, size_t k)
{
    const int t = s->t[i];
    const LearnedRange range = learned_range(s->schedule, t - 1, t);
    if (s->v)
        return learned_log_variance(&range, (double)s->v[(size_t)i * s->dims + k]);
    return t > 1 ? range.high : range.low;
}

/* NHWC copy of an array [count, C, H, W], or of [count] numbers, each repeated. */
static float *expected_images(const Steps *s, const char *expected, const char *array)
{
    int rank;
    int64_t dims[GOLDEN_MAX_RANK];
    float *values = golden_floats(expected, array, &rank, dims);
    ck_assert_int_eq(dims[0], s->count);
    if (rank == 4) {
        golden_to_nhwc(values, (size_t)dims[0], (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
        return values;
    }
    float *all = malloc((size_t)s->count * s->dims * sizeof *all);
    for (size_t k = 0; k < (size_t)s->count * s->dims; k++)
        all[k] = values[k / s->dims];
    free(values);
    return all;
}

/* Each image by itself, since their magnitudes differ by powers of ten. */
static void check_images(const Steps *s, const char *expected, const char *array, const float *got)
{
    float *want = expected_images(s, expected, array);
    for (int i = 0; i < s->count; i++) {
        const float *ours = got + (size_t)i * s->dims, *theirs = want + (size_t)i * s->dims;
        double largest = 0;
        for (size_t k = 0; k < s->dims; k++)
            largest = larger(largest, fabs((double)theirs[k]));
        ck_arrays_close(array, ours, theirs, s->dims,
                        larger(1e-4, tolerance(expected, array)) * largest);
    }
    free(want);
}

/* What Extended-Analytic-DPM, improved- and guided-diffusion call p_mean_variance. */
static void check_steps(const Steps *s, const char *expected)
{
    const size_t size = (size_t)s->count * s->dims;
    float *mean = malloc(size * sizeof *mean), *x_0 = malloc(size * sizeof *x_0);
    float *log_sigma2 = malloc(size * sizeof *log_sigma2);
    float *sigma2 = malloc(size * sizeof *sigma2);
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.clip_x0 = false;
    for (size_t k = 0; k < size; k++) {
        const int i = (int)(k / s->dims);
        const ReverseStep step = reverse_step(s->schedule, &options, s->t[i] - 1, s->t[i]);
        x_0[k] = (float)reverse_x0_hat(&step, (double)s->x[k], (double)s->eps[k]);
        mean[k] = (float)reverse_mean(&step, (double)s->x[k], (double)s->eps[k]);
        log_sigma2[k] = (float)log_variance(s, i, k % s->dims);
        sigma2[k] = (float)exp(log_variance(s, i, k % s->dims));
    }
    check_images(s, expected, "p/log_variance", log_sigma2);
    check_images(s, expected, "p/variance", sigma2);
    if (s->v) {
        check_images(s, expected, "p/pred_xstart", x_0);
        check_images(s, expected, "p/mean", mean);
    }
    free(mean);
    free(x_0);
    free(log_sigma2);
    free(sigma2);
}

/* Both ends of the range, which depend on t alone. */
static void check_ends(const Steps *s, const char *expected)
{
    double *low = golden_doubles(expected, "p/posterior_log_variance_clipped", NULL, NULL);
    double *tilde = golden_doubles(expected, "p/posterior_variance", NULL, NULL);
    double *beta = golden_doubles(expected, "p/beta", NULL, NULL);
    for (int i = 0; i < s->count; i++) {
        const int t = s->t[i];
        const LearnedRange range = learned_range(s->schedule, t - 1, t);
        ck_assert_double_eq_tol(range.low, low[i], 1e-6 * fabs(low[i]));
        ck_assert_double_eq_tol(exp(range.high), beta[i], 1e-6 * beta[i]);
        ck_assert_double_eq_tol(schedule_beta_tilde(s->schedule, t - 1, t), tilde[i],
                                1e-6 * tilde[i] + 1e-300);
    }
    free(low);
    free(tilde);
    free(beta);
}

START_TEST(steps_have_the_mean_and_variance_of_their_programs)
{
    program_begin();
    for (int i = 0; i < IN_DIFFUSION_PROGRAMS; i++) {
        int64_t dims[GOLDEN_MAX_RANK];
        Steps s = {.network = import_run(i, 3), .count = 3};
        float *x = golden_floats(networks[i].expected, "x", NULL, dims);
        golden_to_nhwc(x, 3, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
        read_timesteps(networks[i].expected, s.t);
        steps_evaluate(&s, x, dims);
        check_steps(&s, networks[i].expected);
        check_ends(&s, networks[i].expected);
        steps_free(&s);
    }
    program_end();
}
END_TEST

/* diffusers takes 1e-20 for the variance that is 0 at index 0, and we take that of index 1: from
 * there on both agree. */
START_TEST(the_learned_variance_of_diffusers_is_ours_but_for_the_last_step)
{
    const char *expected = networks[WITH_DIFFUSERS - 1].expected;
    int64_t dims[GOLDEN_MAX_RANK];
    int compared = 0;
    program_begin();
    Steps s = {.network = import_run(WITH_DIFFUSERS - 1, 3), .count = 3};
    float *x = golden_floats(expected, "x", NULL, dims);
    golden_to_nhwc(x, 3, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
    read_timesteps(expected, s.t);
    steps_evaluate(&s, x, dims);
    float *log_want = expected_images(&s, expected, "log_variance");
    float *want = expected_images(&s, expected, "variance");
    for (int i = 0; i < s.count; i++)
        for (size_t k = 0; k < s.dims && s.t[i] > 1; k++, compared++) {
            const size_t at = (size_t)i * s.dims + k;
            const double got = log_variance(&s, i, k);
            ck_assert_double_eq_tol(got, (double)log_want[at], 1e-5 * fabs((double)log_want[at]));
            ck_assert_double_eq_tol(exp(got), (double)want[at], 1e-4 * (double)want[at]);
        }
    ck_assert_int_eq(compared, 2 * (int)s.dims);
    double *betas = golden_doubles(expected, "betas", NULL, dims);
    ck_assert_int_eq(dims[0], s.schedule->timesteps);
    for (int t = 1; t <= s.schedule->timesteps; t++)
        ck_assert_double_eq_tol(s.schedule->beta[t], betas[t - 1], 1e-6 * betas[t - 1]);
    free(betas);
    free(log_want);
    free(want);
    steps_free(&s);
    program_end();
}
END_TEST

/* -- The bound --------------------------------------------------------------------------------- */

/* Bits per dimension of the step of image i, with x_0 [dims]. */
static double bound(const Steps *s, int i, const float *x_0, bool clip)
{
    const size_t dims = s->dims;
    const int t = s->t[i];
    double *x_0_hat = malloc(dims * sizeof *x_0_hat), *off2 = malloc(dims * sizeof *off2);
    double *variance = malloc(dims * sizeof *variance), sum = 0;
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.clip_x0 = clip;
    options.variance = (ReverseVariance){0}; /* the step keeps its gain */
    const ReverseStep step = reverse_step(s->schedule, &options, t - 1, t);
    likelihood_mean(s->schedule, t, clip, x_0, s->x + (size_t)i * dims, s->eps + (size_t)i * dims,
                    dims, x_0_hat, off2);
    for (size_t k = 0; k < dims; k++)
        variance[k] = exp(log_variance(s, i, k));
    if (t > 1)
        sum = likelihood_step_of_variance(&step, off2, variance, dims);
    for (size_t k = 0; k < dims && t == 1; k++)
        sum += likelihood_decoder(variance[k], x_0 + k, x_0_hat + k, 1);
    free(x_0_hat);
    free(off2);
    free(variance);
    return sum / (double)dims / M_LN2;
}

/* Four images at the indices 0, 1, N/3 and N - 1, as _vb_terms_bpd of their programs has them. */
START_TEST(terms_of_the_bound_are_those_of_their_programs)
{
    program_begin();
    for (int i = 0; i < IN_DIFFUSION_PROGRAMS; i++) {
        const char *expected = networks[i].expected;
        int64_t dims[GOLDEN_MAX_RANK];
        Steps s = {.network = import_run(i, 4), .count = 4};
        float *x_0 = golden_floats(expected, "vb/x0", NULL, dims);
        float *x = golden_floats(expected, "vb/eps", NULL, NULL);
        int64_t *index = golden_ints(expected, "vb/t", NULL, NULL);
        const Schedule *schedule = network_schedule(s.network);
        const size_t each = (size_t)(dims[1] * dims[2] * dims[3]);
        for (int image = 0; image < 4; image++)
            s.t[image] = (int)index[image] + 1;
        for (size_t k = 0; k < 4 * each; k++)
            x[k] = (float)(sqrt(schedule->alpha_bar[s.t[k / each]]) * (double)x_0[k] +
                           sqrt(schedule->beta_bar[s.t[k / each]]) * (double)x[k]);
        golden_to_nhwc(x_0, 4, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
        golden_to_nhwc(x, 4, (size_t)dims[1], (size_t)dims[2], (size_t)dims[3]);
        steps_evaluate(&s, x, dims);
        double *plain = golden_doubles(expected, "vb/bpd", NULL, NULL);
        double *clipped = golden_doubles(expected, "vb/bpd_clip", NULL, NULL);
        for (int image = 0; image < 4; image++) {
            const float *own = x_0 + (size_t)image * each;
            ck_assert_double_eq_tol(bound(&s, image, own, false), plain[image],
                                    1e-4 * fabs(plain[image]));
            ck_assert_double_eq_tol(bound(&s, image, own, true), clipped[image],
                                    1e-4 * fabs(clipped[image]));
        }
        free(plain);
        free(clipped);
        free(index);
        free(x_0);
        steps_free(&s);
    }
    program_end();
}
END_TEST

SUITE_MAIN("import_learned", a_learned_variance_is_a_second_output,
           steps_have_the_mean_and_variance_of_their_programs,
           the_learned_variance_of_diffusers_is_ours_but_for_the_last_step,
           terms_of_the_bound_are_those_of_their_programs)
