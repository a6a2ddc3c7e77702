/* Compares trained heads with the exact answer: after a minute of training on the built-in mixture,
 * do they find the diagonal of Cov[x_0 | x_t]?
 *
 * The heads estimate u = (alpha_bar / beta_bar) Cov[x_0 | x_t] = E[eps^2 | x_t] - E[eps | x_t]^2.
 * SN's estimate is h - eps_hat^2, NPR's is g, and OCM's is 1 + its output. The baseline is the best constant per timestep, which
 * is the mean of the exact u over images and pixels. No scalar variance can do better than that.
 *
 * At the chosen timesteps x_t tells much about some pixels and little about others. The limits
 * leave a third for the rounding of other processors. SN's limit is looser, because its u is the
 * difference of two much larger numbers. VARHEAD_TABLE=1 in the environment prints the errors.
 */
#define SUITE_TIMEOUT 900 /* a minute here, some minutes on an old and busy machine */
#include "tests/suite.h"

#include "base/memory.h"
#include "config/config.h"
#include "diffusion/forward.h"
#include "diffusion/mixture.h"
#include "hdf5/hdf5_file.h"
#include "tests/golden.h"
#include "tests/scratch.h"

enum { IMAGES = 64, TIMES = 5 };
static const double most_of_sn = 0.75, most_of_npr = 0.10,
                    most_of_ocm = 0.35; /* of the constant's error */
static const int times[TIMES] = {20, 30, 40, 50, 60};
static const uint64_t test_seed = 20260101; /* images that no data set of the programs contains */

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[2048] = "PATH=\"$PATH:bin\" "; /* by hand; `make test` has put its own there */
    size_t start = strlen(command);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command + start, sizeof command - start, format, arguments);
    va_end(arguments);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

/* Noisy test images at timestep t, [IMAGES, dims], and the exact u of each element. */
static void exact(const Mixture *mixture, const Schedule *schedule, int t, float *x_t, double *u)
{
    const size_t dims = mixture->dims;
    float *eps = memory_small(IMAGES * dims, sizeof *eps);
    double *x = memory_small(dims, sizeof *x);
    int ts[IMAGES], drawn[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
        ts[i] = t;
        mixture_sample(mixture, test_seed, (uint32_t)i, x_t + (size_t)i * dims);
    }
    forward_draw(schedule, (BatchKey){.seed = test_seed, .stage = 1, .step = (uint32_t)t}, IMAGES,
                 dims, drawn, eps);
    forward_noise(schedule, ts, x_t, eps, IMAGES, dims, x_t);
    const double ratio = schedule->alpha_bar[t] / schedule->beta_bar[t];
    for (size_t i = 0; i < IMAGES; i++) {
        for (size_t k = 0; k < dims; k++)
            x[k] = x_t[i * dims + k];
        mixture_moments(mixture, schedule, t, x, NULL, NULL, u + i * dims);
        for (size_t k = 0; k < dims; k++)
            u[i * dims + k] *= ratio;
    }
    memory_free(eps);
    memory_free(x);
}

static double mean_square_error(const double *truth, const double *guess, double constant,
                                size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = truth[i] - (guess ? guess[i] : constant);
        sum += difference * difference;
    }
    return sum / (double)count;
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

/* errors [TIMES] := the mean square error of ocm's u, 1 + its head, as a fraction of the constant's.
 * Its head is simple, and solved for on the trunk in `directory`. */
static void measure_ocm(const char *directory, const char *input, const double *u, size_t count,
                        double *errors)
{
    const char *output = scratch_path("ocm.h5");
    run("train --stage 2 --loss ocm --config configs/mixture.yaml --set head.type=simple "
        "--set stage2.solver=exact --run %s --threads 1 --quiet",
        directory);
    run("infer predict --checkpoint %s/stage2-ocm.h5 --input %s --output %s --threads 1 --quiet",
        directory, input, output);
    float *ocm = golden_floats(output, "ocm", NULL, NULL);
    double *guess = memory_small(count, sizeof *guess);
    for (int k = 0; k < TIMES; k++) {
        const double *truth = u + (size_t)k * count;
        for (size_t i = 0; i < count; i++)
            guess[i] = 1 + (double)ocm[(size_t)k * count + i];
        errors[k] = mean_square_error(truth, guess, 0, count) /
                    mean_square_error(truth, NULL, mean(truth, count), count);
    }
    memory_free(guess);
    free(ocm);
}

START_TEST(heads_find_the_exact_covariance)
{
    Error error = {0};
    Config config;
    Schedule schedule;
    Mixture mixture;
    must(config_load(&config, "configs/mixture.yaml", NULL, 0, &error), &error);
    must(schedule_make(&schedule, config.diffusion.schedule, config.diffusion.timesteps, &error),
         &error);
    must(mixture_builtin(&mixture, config.data.resolution, 1, &error), &error);
    const char *directory = scratch_path("run");
    run("train --stage 1 --config configs/mixture.yaml --run %s --threads 1 --quiet", directory);
    run("train --stage 2 --loss npr,sn --config configs/mixture.yaml --run %s --threads 1 --quiet",
        directory);

    const size_t dims = mixture.dims, count = IMAGES * dims;
    float *x = memory_small(TIMES * count, sizeof *x);
    double *u = memory_small(TIMES * count, sizeof *u);
    int64_t t[TIMES * IMAGES];
    for (int k = 0; k < TIMES; k++) {
        exact(&mixture, &schedule, times[k], x + (size_t)k * count, u + (size_t)k * count);
        for (int i = 0; i < IMAGES; i++)
            t[k * IMAGES + i] = times[k];
    }
    Hdf5File *file = NULL;
    const int64_t side = config.data.resolution;
    const char *input = scratch_path("input.h5"), *output = scratch_path("output.h5");
    must(hdf5_create(&file, input, &error), &error);
    must(hdf5_write(file, "x", HDF5_FLOAT32, 4, (const int64_t[]){TIMES * IMAGES, 1, side, side}, x,
                    &error),
         &error);
    must(hdf5_write(file, "t", HDF5_INT64, 1, (const int64_t[]){TIMES * IMAGES}, t, &error),
         &error);
    must(hdf5_commit(file, &error), &error);
    run("infer predict --checkpoint %s/stage2-npr+sn.h5 --input %s --output %s --threads 1 --quiet",
        directory, input, output);

    float *eps = golden_floats(output, "eps", NULL, NULL);
    float *sn = golden_floats(output, "sn", NULL, NULL);
    float *npr = golden_floats(output, "npr", NULL, NULL);
    double *u_sn = memory_small(count, sizeof *u_sn), *u_npr = memory_small(count, sizeof *u_npr);
    double of_ocm[TIMES];
    const bool table = getenv("VARHEAD_TABLE") != NULL;
    measure_ocm(directory, input, u, count, of_ocm);
    if (table)
        fprintf(
            stderr,
            "mean square error of u, as a fraction of the constant's\n%5s %12s %10s %10s %10s\n",
            "t", "constant", "sn", "npr", "ocm");
    for (int k = 0; k < TIMES; k++) {
        const double *truth = u + (size_t)k * count;
        for (size_t i = 0; i < count; i++) {
            size_t j = (size_t)k * count + i;
            u_sn[i] = sn[j] - (double)eps[j] * eps[j];
            u_npr[i] = npr[j];
        }
        double constant = mean_square_error(truth, NULL, mean(truth, count), count);
        double of_sn = mean_square_error(truth, u_sn, 0, count) / constant;
        double of_npr = mean_square_error(truth, u_npr, 0, count) / constant;
        if (table)
            fprintf(stderr, "%5d %12.3e %10.3f %10.3f %10.3f\n", times[k], constant, of_sn, of_npr,
                    of_ocm[k]);
        ck_assert_msg(of_sn < most_of_sn, "t = %d: SN's error is %.3f of the constant's", times[k],
                      of_sn);
        ck_assert_msg(of_npr < most_of_npr, "t = %d: NPR's error is %.3f of the constant's",
                      times[k], of_npr);
        ck_assert_msg(of_ocm[k] < most_of_ocm, "t = %d: OCM's error is %.3f of the constant's",
                      times[k], of_ocm[k]);
    }
    free(eps), free(sn), free(npr);
    memory_free(u_sn), memory_free(u_npr), memory_free(x), memory_free(u);
    mixture_free(&mixture);
    schedule_free(&schedule);
}
END_TEST

SUITE_MAIN("mixture_training", heads_find_the_exact_covariance)
