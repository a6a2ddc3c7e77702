/* Tests of `infer analytic`: its constants are compared with predictions at points that this file
 * makes, and the variances that read them are checked. (The checkpoints that receive the constants:
 * test_analytic_files.c.) */
#include "base/random.h"
#include "data/dataset.h"
#include "diffusion/schedule.h"
#include "tests/config_text.h"
#include "tests/golden_mixture.h"

/* -- The numbers ------------------------------------------------------------------------------ */

enum { IMAGES = 6, ROWS = 4, PAIRS = IMAGES * ROWS };
static const int measured[ROWS] = {1, 334, 667, 1000};

/* eps of the pairs, NCHW, [IMAGES, ROWS, DIMS]; their x_t goes to points.h5, drawn as random.h says. */
static void make_pairs(float *noise)
{
    static float image[DIMS], drawn[DIMS], x[PAIRS * DIMS];
    static uint32_t order[DATASET_MIXTURE_TRAIN];
    int64_t t[PAIRS], image_dims[] = {PAIRS, CHANNELS, SIDE, SIDE}, pairs = PAIRS;
    Config config = parse(mixture_a);
    Schedule schedule;
    Dataset *dataset = NULL;
    Error error;
    ck_assert(schedule_make(&schedule, config.diffusion.schedule, N, &error));
    ck_assert(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    random_permutation((RandomKey){.seed = 5, .purpose = RANDOM_SHUFFLE}, order,
                       DATASET_MIXTURE_TRAIN);
    for (int i = 0; i < PAIRS; i++) {
        int64_t index = order[i / ROWS];
        t[i] = measured[i % ROWS];
        RandomKey key = {.seed = 5,
                         .purpose = RANDOM_ANALYTIC,
                         .step = (uint32_t)t[i],
                         .sample = (uint32_t)index};
        ck_assert(dataset_read(dataset, &index, 1, image, &error));
        random_normal(key, drawn, DIMS);
        for (int c = 0; c < CHANNELS; c++)
            for (int p = 0; p < PIXELS; p++) {
                int at = (i * CHANNELS + c) * PIXELS + p, from = p * CHANNELS + c;
                noise[at] = drawn[from];
                x[at] = (float)(sqrt(schedule.alpha_bar[t[i]]) * image[from] +
                                sqrt(schedule.beta_bar[t[i]]) * drawn[from]);
            }
    }
    hid_t file = file_new("points.h5");
    file_add(file, "x", H5T_NATIVE_FLOAT, 4, image_dims, x);
    file_add(file, "t", H5T_NATIVE_INT64, 1, &pairs, t);
    H5Fclose(file);
    dataset_close(dataset);
    schedule_free(&schedule);
}

typedef struct Expected {
    double value, error, dims[DIMS];
} Expected;

/* Least squares by the textbook, in two passes: p = a + b (n - 1), of which a is the estimate; b is
 * from 0 to 1. */
static void estimate(const float *eps, const float *noise, int row, Expected *expected)
{
    double p[IMAGES] = {0}, n[IMAGES] = {0}, mean_p = 0, mean_n = 0, pn = 0, nn = 0, left = 0;
    for (int i = 0; i < IMAGES; i++) {
        for (int j = 0; j < DIMS; j++) {
            int at = (i * ROWS + row) * DIMS + j;
            p[i] += (double)eps[at] * eps[at] / DIMS;
            n[i] += (double)noise[at] * noise[at] / DIMS;
        }
        mean_p += p[i] / IMAGES;
        mean_n += n[i] / IMAGES;
    }
    for (int i = 0; i < IMAGES; i++) {
        pn += (p[i] - mean_p) * (n[i] - mean_n);
        nn += (n[i] - mean_n) * (n[i] - mean_n);
    }
    double slope = fmin(fmax(pn / nn, 0), 1);
    for (int i = 0; i < IMAGES; i++)
        left += pow(p[i] - mean_p - slope * (n[i] - mean_n), 2);
    expected->value = mean_p - slope * (mean_n - 1);
    expected->error = sqrt(left / (IMAGES - 2) / IMAGES);
    for (int j = 0; j < DIMS; j++) {
        double eps2 = 0, noise2 = 0;
        for (int i = 0; i < IMAGES; i++) {
            int at = (i * ROWS + row) * DIMS + j;
            eps2 += (double)eps[at] * eps[at] / IMAGES;
            noise2 += (double)noise[at] * noise[at] / IMAGES;
        }
        expected->dims[j] = eps2 - slope * (noise2 - 1);
    }
}

static void ck_close(double got, double want, double tolerance, const char *what, int t)
{
    ck_assert_msg(fabs(got - want) <= tolerance, "%s at t = %d: got %.9g, expected %.9g", what, t,
                  got, want);
}

static void ck_row(const char *file, int row, const Expected *expected)
{
    const int t = measured[row];
    double *ms_eps = golden_doubles(file, "analytic/ms_eps", NULL, NULL);
    double *errors = golden_doubles(file, "analytic/ms_eps_stderr", NULL, NULL);
    const int64_t dims[] = {N + 1, CHANNELS, SIDE, SIDE};
    float *diag = read_shaped(file, "analytic/ms_eps_diag", 4, dims);
    double mean = 0;
    ck_close(ms_eps[t], expected->value, 1e-5 * expected->value, "ms_eps", t);
    ck_close(errors[t], expected->error, 1e-4 * expected->error + 1e-7, "ms_eps_stderr", t);
    for (int j = 0; j < DIMS; j++) {
        double got = diag[(size_t)t * DIMS + (size_t)j];
        ck_close(got, expected->dims[j], 1e-4 + 1e-4 * expected->dims[j], "ms_eps_diag", t);
        mean += got / DIMS;
    }
    ck_close(mean, ms_eps[t], 1e-5 * ms_eps[t], "the mean of ms_eps_diag", t);
    free(ms_eps);
    free(errors);
    free(diag);
}

START_TEST(constants_are_means_of_predictions)
{
    static float noise[PAIRS * DIMS];
    static Expected expected[ROWS];
    const int64_t dims[] = {PAIRS, CHANNELS, SIDE, SIDE};
    program_begin();
    make_a("a.h5");
    make_pairs(noise);
    infer_ok("predict --quiet --checkpoint $D/a.h5 --input $D/points.h5 --output $D/out.h5");
    float *eps = read_shaped(in_directory("out.h5"), "eps", 4, dims);
    infer_ok("analytic --checkpoint $D/a.h5 --images %d --timesteps %d", IMAGES, ROWS);
    ck_assert(says("a.h5: stored, from 6 images") && says("E||eps_hat||^2/d"));
    for (int row = 0; row < ROWS; row++) {
        estimate(eps, noise, row, &expected[row]);
        ck_row(in_directory("a.h5"), row, &expected[row]);
    }

    /* A straight line between 334 and 667; 1 where nothing is predicted. */
    double *ms_eps = golden_doubles(in_directory("a.h5"), "analytic/ms_eps", NULL, NULL);
    double *errors = golden_doubles(in_directory("a.h5"), "analytic/ms_eps_stderr", NULL, NULL);
    float *diag = golden_floats(in_directory("a.h5"), "analytic/ms_eps_diag", NULL, NULL);
    ck_close(ms_eps[445], (2 * ms_eps[334] + ms_eps[667]) / 3, 1e-12, "ms_eps", 445);
    ck_close(diag[445 * DIMS + 77], (2 * (double)diag[334 * DIMS + 77] + diag[667 * DIMS + 77]) / 3,
             1e-6, "diag", 445);
    ck_assert(ms_eps[0] == 1 && errors[0] == 0 && diag[0] == 1 && diag[DIMS - 1] == 1);
    ck_assert_int_eq(golden_attr_int(in_directory("a.h5"), "analytic", "images"), IMAGES);
    ck_assert_int_eq(golden_attr_int(in_directory("a.h5"), "analytic", "timesteps"), ROWS);
    ck_assert_int_eq(golden_attr_int(in_directory("a.h5"), "analytic", "seed"), 5);
    infer_ok("info $D/a.h5");
    ck_assert(says("stored from 6 images at 4 timesteps: --variance analytic works, "
                   "analytic_diag too"));
    free(diag);
    free(errors);
    free(ms_eps);
    free(eps);
    program_end();
}
END_TEST

/* Every timestep by default, and the same ones whatever the batch and the threads. */
START_TEST(threads_and_batches_change_nothing)
{
    program_begin();
    hid_t file = file_from("one.h5", GOLDEN_B);
    replace_config(file, mixture_b);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/one.h5 $D/two.h5 && cp $D/one.h5 $D/three.h5"), 0);
    infer_ok("analytic --quiet --checkpoint $D/one.h5 --images 3 --threads 1 --batch 7");
    ck_assert_msg(program_output[0] == '\0', "--quiet, but: %s", program_output);
    infer_ok("analytic --quiet --checkpoint $D/two.h5 --images 3 --threads 2 --batch 300");
    infer_ok("analytic --quiet --checkpoint $D/three.h5 --images 3 --seed 6 --batch 300");
    double *one = golden_doubles(in_directory("one.h5"), "analytic/ms_eps", NULL, NULL);
    double *two = golden_doubles(in_directory("two.h5"), "analytic/ms_eps", NULL, NULL);
    double *three = golden_doubles(in_directory("three.h5"), "analytic/ms_eps", NULL, NULL);
    int differ = 0;
    for (int t = 1; t <= 200; t++) {
        ck_close(one[t], two[t], 1e-5 * two[t], "ms_eps", t);
        differ += fabs(one[t] - three[t]) > 1e-4;
    }
    ck_assert_int_gt(differ, 150); /* of another seed */
    ck_assert_int_eq(golden_attr_int(in_directory("one.h5"), "analytic", "timesteps"), 200);
    infer_ok("info $D/one.h5");
    ck_assert(says("is stored from 3 images: --variance analytic works"));
    free(one);
    free(two);
    free(three);
    program_end();
}
END_TEST

/* Two seeds differ by about as much as they say: over many timesteps the differences, in units of
 * their standard errors, have a mean square of about 1. */
START_TEST(standard_errors_are_honest)
{
    enum { STEPS = 50, COUNT = 40 };
    program_begin();
    hid_t file = file_from("one.h5", GOLDEN_B);
    replace_config(file, mixture_b);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/one.h5 $D/two.h5"), 0);
    infer_ok("analytic --checkpoint $D/one.h5 --images %d --timesteps %d --seed 1", COUNT, STEPS);
    infer_ok("analytic --checkpoint $D/two.h5 --images %d --timesteps %d --seed 2", COUNT, STEPS);
    double *one = golden_doubles(in_directory("one.h5"), "analytic/ms_eps", NULL, NULL);
    double *two = golden_doubles(in_directory("two.h5"), "analytic/ms_eps", NULL, NULL);
    double *e1 = golden_doubles(in_directory("one.h5"), "analytic/ms_eps_stderr", NULL, NULL);
    double *e2 = golden_doubles(in_directory("two.h5"), "analytic/ms_eps_stderr", NULL, NULL);
    double sum = 0;
    for (int i = 0; i < STEPS; i++) {
        int t = 1 + i * 199 / (STEPS - 1); /* on a measured one, or between two: then smaller */
        sum += (one[t] - two[t]) * (one[t] - two[t]) / (e1[t] * e1[t] + e2[t] * e2[t]) / STEPS;
    }
    ck_assert_msg(sum > 0.4 && sum < 2, "mean square of differences: %g", sum);
    free(one);
    free(two);
    free(e1);
    free(e2);
    program_end();
}
END_TEST

/* -- analytic_diag ---------------------------------------------------------------------------- */

/* Golden_a with a network that predicts 0: pixels then know nothing of one another. */
static void make_constants(const char *name, double ms_eps, const float *diag)
{
    const int64_t count = N + 1, dims[] = {N + 1, CHANNELS, SIDE, SIDE};
    static double ms[N + 1];
    for (int t = 0; t <= N; t++)
        ms[t] = ms_eps;
    hid_t file = file_from(name, GOLDEN_A);
    hid_t group = H5Gcreate2(file, "analytic", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    file_add(file, "analytic/ms_eps", H5T_NATIVE_DOUBLE, 1, &count, ms);
    if (diag)
        file_add(file, "analytic/ms_eps_diag", H5T_NATIVE_FLOAT, 4, dims, diag);
    H5Gclose(group);
    H5Fclose(file);
    change_tensor(name, "trunk_ema/conv_out.weight", 0, 0);
    change_tensor(name, "trunk_ema/conv_out.bias", 0, 0);
}

static float *samples_of(const char *name, const char *variance)
{
    const int64_t dims[] = {1, CHANNELS, SIDE, SIDE};
    infer_ok("sample --quiet --checkpoint $D/%s --variance %s --steps 3 --count 1 --clip-x0 off "
             "--clip-cov on --clip-pixel 0 --seed 3 --out $D/out.h5",
             name, variance);
    return read_shaped(in_directory("out.h5"), "samples", 4, dims);
}

/* Each dimension has the variance of its own entry: in a pattern of two constants every pixel is that
 * of the sample with this constant throughout. */
START_TEST(the_diagonal_is_per_dimension)
{
    program_begin();
    float *diag = calloc((size_t)(N + 1) * DIMS, sizeof *diag);
    for (size_t i = 0; i < (size_t)(N + 1) * DIMS; i++) {
        size_t c = i / PIXELS % CHANNELS, y = i / SIDE % SIDE, x = i % SIDE;
        diag[i] = (c + 2 * y + x * x) % 3 == 0 ? 0.25f : 1.0f;
    }
    make_constants("low.h5", 0.25, NULL);
    make_constants("high.h5", 1, NULL);
    make_constants("diag.h5", 0, diag);
    float *low = samples_of("low.h5", "analytic"), *high = samples_of("high.h5", "analytic");
    float *got = samples_of("diag.h5", "analytic_diag");
    int differ = 0;
    for (size_t i = 0; i < DIMS; i++) {
        float want = diag[i] < 1 ? low[i] : high[i];
        ck_assert_msg(fabsf(got[i] - want) <= 1e-5f * (1 + fabsf(want)), "element %zu: %g, not %g",
                      i, got[i], want);
        differ += fabsf(low[i] - high[i]) > 1e-3f * (1 + fabsf(want));
    }
    ck_assert_int_gt(differ, DIMS / 2);
    free(low);
    free(high);
    free(got);
    free(diag);
    program_end();
}
END_TEST

/* The bits per dimension of a variance in the table of `infer nll`. */
static double bits_of(const char *variance)
{
    size_t size = strlen(variance);
    for (const char *line = program_output; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, variance, size) == 0 && line[size] == ' ')
            return atof(line + size);
    }
    ck_abort_msg("no %s in: %s", variance, program_output);
    return NAN;
}

/* With equal constants everywhere the two variances are the same bound; with others they are not. */
START_TEST(a_bound_reads_the_diagonal)
{
    program_begin();
    float *diag = calloc((size_t)(N + 1) * DIMS, sizeof *diag);
    for (size_t i = 0; i < (size_t)(N + 1) * DIMS; i++)
        diag[i] = 0.5f;
    make_constants("diag.h5", 0.5, diag);
    hid_t file = H5Fopen(in_directory("diag.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    replace_config(file, mixture_a);
    H5Fclose(file);
    infer_ok("nll --checkpoint $D/diag.h5 --variance analytic,analytic_diag --steps 5 --images 2");
    ck_assert(isfinite(bits_of("analytic")) && bits_of("analytic") == bits_of("analytic_diag"));

    for (size_t i = 0; i < (size_t)(N + 1) * DIMS; i += 2)
        diag[i] = 0.99f;
    make_constants("diag.h5", 0.5, diag);
    file = H5Fopen(in_directory("diag.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    replace_config(file, mixture_a);
    H5Fclose(file);
    infer_ok("nll --checkpoint $D/diag.h5 --variance analytic,analytic_diag --steps 5 --images 2");
    ck_assert(fabs(bits_of("analytic") - bits_of("analytic_diag")) > 0.01);
    free(diag);
    program_end();
}
END_TEST

SUITE_MAIN("analytic", constants_are_means_of_predictions, threads_and_batches_change_nothing,
           standard_errors_are_honest, the_diagonal_is_per_dimension, a_bound_reads_the_diagonal)
