/* Tests of the functions of varhead.h: their results equal those of `infer` bit for bit, and each
 * mistake of a caller is an error. (The shared library, and its effects on a process:
 * tests/cli/library.sh.) */
#include "hdf5/hdf5_messages.h"
#include "library/varhead.h"
#include "tests/infer_program.h"

#include <math.h>
#include <sys/resource.h>

#define CHECKPOINT "tests/golden/golden_a.h5"
#define EXPECTED "tests/golden/golden_a_expected.h5"

enum { SIDE = 16, CHANNELS = 3, DIMS = SIDE * SIDE * CHANNELS, IMAGES = 5 };

static VarheadError error;

#define works(call) ck_assert_msg((call) == VARHEAD_OK, "%s", error.message)

#define refuses(call, text)                                                                        \
    do {                                                                                           \
        ck_assert_int_eq(call, VARHEAD_INPUT);                                                     \
        ck_assert_int_eq(error.code, VARHEAD_INPUT);                                               \
        ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" lacks \"%s\"", error.message,   \
                      text);                                                                       \
    } while (0)

static VarheadModel *open_golden(const VarheadOptions *options)
{
    const char *path = CHECKPOINT;
    VarheadModel *model = NULL;
    works(varhead_open_files(&model, &path, 1, options, &error));
    return model;
}

/* "--steps 5 --eta 0.5" as options. */
static VarheadOptions *options_of(const char *command_line)
{
    char text[512], *name, *value, *rest = text;
    VarheadOptions *options = varhead_options_new();
    snprintf(text, sizeof text, "%s", command_line);
    while ((name = strtok_r(rest, " ", &rest)) != NULL) {
        ck_assert_ptr_nonnull(value = strtok_r(rest, " ", &rest));
        works(varhead_set(options, name + strlen("--"), value, &error));
    }
    return options;
}

static void ck_same_floats(const char *what, const float *got, const float *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == want[i], "%s: element %zu is %.9g, not %.9g", what, i,
                      (double)got[i], (double)want[i]);
}

/* images [n, H, W, C] of a data set [n, C, H, W] of the test's directory. */
static float *stored_images(const char *file, const char *dataset, int n)
{
    const int64_t dims[] = {n, CHANNELS, SIDE, SIDE};
    float *images = read_shaped(in_directory(file), dataset, 4, dims);
    golden_to_nhwc(images, (size_t)n, CHANNELS, SIDE, SIDE);
    return images;
}

/* -- Results ---------------------------------------------------------------------------------- */

static void ck_sample(const char *options_text)
{
    static float images[IMAGES * DIMS];
    VarheadOptions *options = options_of(options_text);
    VarheadModel *model = open_golden(options);
    infer_ok("sample --checkpoint %s --quiet --count %d --out $D/samples.h5 %s", CHECKPOINT, IMAGES,
             options_text);
    float *want = stored_images("samples.h5", "samples", IMAGES);
    works(varhead_sample(model, options, 0, IMAGES, images, &error));
    ck_same_floats(options_text, images, want, IMAGES * DIMS);
    free(want);
    varhead_close(model);
    varhead_options_free(options);
}

START_TEST(samples_are_those_of_the_program)
{
    program_begin();
    ck_sample("--steps 4");
    ck_sample("--variance sn --steps 4 --trajectory quad --seed 18446744073709551615 --batch 2");
    ck_sample("--variance npr --steps 3 --cov-floor 0.03 --cov-scale 2 --clip-pixel 0 --threads 1");
    ck_sample("--variance npr --steps 3 --clip-x0 off");
    ck_sample("--variance sn --steps 3 --sampler ddim --eta 0.5 --clip-cov off");
    program_end();
}
END_TEST

START_TEST(a_sample_depends_on_its_number_alone)
{
    static float all[IMAGES * DIMS], some[2 * DIMS];
    VarheadOptions *options = options_of("--variance sn --steps 4 --batch 1");
    VarheadModel *model = open_golden(options);
    works(varhead_sample(model, options, 0, IMAGES, all, &error));
    works(varhead_sample(model, options, 3, 2, some, &error));
    ck_same_floats("samples 3 and 4", some, all + 3 * DIMS, 2 * DIMS);
    works(varhead_sample(model, options, 9999999, 1, some, &error));
    refuses(varhead_sample(model, options, 9999999, 2, some, &error), "first: ");
    varhead_close(model);
    varhead_options_free(options);
}
END_TEST

START_TEST(predictions_are_those_of_the_program)
{
    static float eps[IMAGES * DIMS], sn[IMAGES * DIMS];
    program_begin();
    hid_t file = file_new("points.h5");
    file_copy(file, "x", EXPECTED, "predict/x");
    file_copy(file, "t", EXPECTED, "predict/t");
    H5Fclose(file);
    infer_ok("predict --checkpoint %s --quiet --input $D/points.h5 --output $D/out.h5", CHECKPOINT);

    VarheadModel *model = open_golden(NULL);
    float *x = stored_images("points.h5", "x", IMAGES), *heads[8] = {NULL};
    int64_t *stored = golden_ints(in_directory("points.h5"), "t", NULL, NULL);
    int t[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        t[i] = (int)stored[i];
    for (int h = 0; varhead_head(model, h); h++)
        if (strcmp(varhead_head(model, h), "sn") == 0)
            heads[h] = sn;
    works(varhead_predict(model, x, t, IMAGES, eps, heads, &error));
    float *want_eps = stored_images("out.h5", "eps", IMAGES);
    float *want_sn = stored_images("out.h5", "sn", IMAGES);
    ck_same_floats("eps", eps, want_eps, IMAGES * DIMS);
    ck_same_floats("sn", sn, want_sn, IMAGES * DIMS);
    free(x);
    free(stored);
    free(want_eps);
    free(want_sn);
    varhead_close(model);
    program_end();
}
END_TEST

/* Bits of each image, on a trajectory of three steps. */
static void ck_bound(const char *options_text, const char *cell, const float *images, int count)
{
    double bits[8], *want;
    char path[128];
    VarheadOptions *options = options_of(options_text);
    VarheadModel *model = open_golden(options);
    infer_ok("nll --checkpoint %s --quiet --input $D/images.h5 --out $D/nll.csv %s", CHECKPOINT,
             options_text);
    snprintf(path, sizeof path, "%s/bits_per_dim_each", cell);
    want = golden_doubles(in_directory("nll.h5"), path, NULL, NULL);
    works(varhead_bound(model, options, images, count, bits, &error));
    for (int i = 0; i < count; i++)
        ck_assert_msg(bits[i] == want[i], "%s: %.17g, not %.17g", options_text, bits[i], want[i]);
    free(want);
    varhead_close(model);
    varhead_options_free(options);
}

START_TEST(bounds_are_those_of_the_program)
{
    program_begin();
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    hid_t file = file_new("images.h5");
    file_copy(file, "images", EXPECTED, "nll/x0");
    H5Fclose(file);
    uint8_t *bytes = golden_bytes(in_directory("images.h5"), "images", &rank, dims);
    const int count = (int)dims[0];
    ck_assert(rank == 4 && dims[1] == SIDE && dims[3] == CHANNELS && count <= 8);
    float *images = malloc((size_t)count * DIMS * sizeof *images);
    varhead_from_bytes(bytes, (size_t)count * DIMS, images);
    ck_bound("--variance sn --steps 3", "sn/linear_3", images, count);
    ck_bound("--variance npr --steps 5 --trajectory quad --cov-floor 0.03 --seed 5",
             "npr-floor0.03/quad_5", images, count);
    ck_bound("--variance beta --steps 3 --clip-pixel 2 --batch 1", "beta/linear_3", images, count);
    free(images);
    free(bytes);
    program_end();
}
END_TEST

START_TEST(bytes_and_images_are_each_others)
{
    uint8_t bytes[256], again[256];
    float images[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    varhead_from_bytes(bytes, 256, images);
    varhead_to_bytes(images, 256, again);
    ck_assert_mem_eq(bytes, again, 256);
    ck_assert(images[0] == -1 && images[255] == 1);
    varhead_to_bytes((float[]){NAN, -2, 2}, 3, again);
    ck_assert(again[0] == 0 && again[1] == 0 && again[2] == 255);
}
END_TEST

/* -- Descriptions ----------------------------------------------------------------------------- */

START_TEST(a_model_says_what_it_is)
{
    VarheadModel *model = open_golden(NULL);
    ck_assert_int_eq(varhead_resolution(model), SIDE);
    ck_assert_int_eq(varhead_channels(model), CHANNELS);
    ck_assert_uint_eq(varhead_dims(model), DIMS);
    ck_assert_int_eq(varhead_timesteps(model), 1000);
    ck_assert_ptr_nonnull(strstr(varhead_recipe(model), "attention: [8]"));
    bool has_sn = false, has_analytic = false;
    for (int i = 0; varhead_variance(model, i); i++) {
        has_sn |= strcmp(varhead_variance(model, i), "sn") == 0;
        has_analytic |= strcmp(varhead_variance(model, i), "analytic") == 0;
    }
    ck_assert(has_sn);
    ck_assert(!has_analytic || golden_exists(CHECKPOINT, "analytic/ms_eps"));
    varhead_close(model);
}
END_TEST

START_TEST(the_schedule_is_golden)
{
    static double values[1001], beta_bar[1001];
    VarheadModel *model = open_golden(NULL);
    works(varhead_schedule(model, "alpha_bar", values, &error));
    works(varhead_schedule(model, "beta_bar", beta_bar, &error));
    ck_assert(values[0] == 1 && beta_bar[0] == 0);
    for (int t = 0; t <= 1000; t++)
        ck_assert_double_eq_tol(values[t] + beta_bar[t], 1, 1e-15);
    works(varhead_schedule(model, "log_alpha_bar", beta_bar, &error));
    ck_assert_double_eq_tol(beta_bar[1000], log(values[1000]), 1e-12);
    works(varhead_schedule(model, "beta", values, &error));
    ck_assert_double_eq_tol(values[1], 1e-4, 1e-18); /* Ho et al. 2020 */
    ck_assert_double_eq_tol(values[1000], 0.02, 1e-16);
    refuses(varhead_schedule(model, "betas", values, &error),
            "name: expected beta, alpha_bar, beta_bar or log_alpha_bar, got \"betas\"");
    varhead_close(model);
}
END_TEST

START_TEST(trajectories_are_arrays)
{
    int timesteps[6] = {0}, count = 6;
    VarheadOptions *options = options_of("--steps 5");
    VarheadModel *model = open_golden(NULL);
    works(varhead_trajectory(model, options, timesteps, &count, &error));
    ck_assert_int_eq(count, 6);
    ck_assert_mem_eq(timesteps, ((int[]){0, 1, 251, 500, 750, 1000}), sizeof timesteps);
    count = 5;
    refuses(varhead_trajectory(model, options, timesteps, &count, &error),
            "count: expected room for 6 timesteps, got 5");
    ck_assert_int_eq(count, 6);
    works(varhead_set(options, "trajectory", "dp", &error));
    refuses(varhead_trajectory(model, options, timesteps, &count, &error),
            "infer nll --trajectory dp --variance beta");
    works(varhead_set(options, "steps", "1001", &error));
    refuses(varhead_trajectory(model, options, timesteps, &count, &error),
            "steps: a trajectory has from 1 to 1000 steps, not 1001");
    varhead_close(model);
    varhead_options_free(options);
}
END_TEST

/* -- Mistakes --------------------------------------------------------------------------------- */

START_TEST(options_that_cannot_be_are_refused)
{
    static const char *const wrong[][3] = {
        {"batch", "0", "batch: expected an integer from 1 to 65536, got \"0\""},
        {"batch", "1.5", "batch: expected an integer from 1 to 65536, got \"1.5\""},
        {"threads", "many", "threads: expected an integer from 1 to 1024, got \"many\""},
        {"precision", "f16", "precision: expected f32 or bf16, got \"f16\""},
        {"variance", "", "variance: expected beta"},
        {"steps", "", "steps: expected an integer from 1 to 100000, got \"\""},
        {"steps", "1e9", "steps: expected an integer"},
        {"trajectory", "linea", "trajectory: expected linear, quad or dp"},
        {"seed", "-1", "seed: expected an integer from 0 to 18446744073709551615, got \"-1\""},
        {"sampler", "ode", "sampler: expected ddpm or ddim"},
        {"eta", "1.5", "eta: expected a number from 0 to 1, got \"1.5\""},
        {"eta", "nan", "eta: expected a number from 0 to 1, got \"nan\""},
        {"eta", "0,5", "eta: expected a number from 0 to 1, got \"0,5\""},
        {"clip-x0", "yes", "clip-x0: expected on or off, got \"yes\""},
        {"cov-floor", "2", "cov-floor: expected a number from 0 to 1, got \"2\""},
        {"clip_x0", "on", "unknown option \"clip_x0\"; did you mean clip-x0?"},
        {"colour", "on", "unknown option \"colour\"; expected one of batch, threads, "},
    };
    VarheadOptions *options = varhead_options_new();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refuses(varhead_set(options, wrong[i][0], wrong[i][1], &error), wrong[i][2]);
    refuses(varhead_set_number(options, "variance", 1, &error), "variance: expected beta");
    refuses(varhead_set_number(options, "steps", INFINITY, &error), "steps: expected an integer");
    works(varhead_set_number(options, "steps", 25, &error));
    varhead_options_free(options);
}
END_TEST

START_TEST(options_that_do_not_go_together_are_refused)
{
    static const struct {
        const char *options, *text;
        bool only_bound;
    } wrong[] = {
        {"--eta 0.5", "eta: is of the sampler ddim", false},
        {"--sampler ddim --variance beta", "beta", false},
        {"--variance analytic_diag", "analytic_diag needs the array", false},
        {"--variance exact", "true", false},
        {"--sampler ddim", "sampler: expected ddpm", true},
        {"--trajectory dp --clip-cov off", "clip-cov: expected on", true},
        {"--trajectory dp --clip-pixel 1", "clip-pixel: expected 0", true},
    };
    static float images[DIMS];
    double bits;
    VarheadModel *model = open_golden(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        VarheadOptions *options = options_of(wrong[i].options);
        if (wrong[i].only_bound)
            refuses(varhead_bound(model, options, images, 1, &bits, &error), wrong[i].text);
        else
            refuses(varhead_sample(model, options, 0, 1, images, &error), wrong[i].text);
        varhead_options_free(options);
    }
    varhead_close(model);
}
END_TEST

START_TEST(an_image_of_nothing_is_refused_by_name)
{
    static float images[2 * DIMS];
    double bits[2];
    const int t[] = {1, 2};
    VarheadModel *model = open_golden(NULL);
    images[DIMS + 7] = INFINITY;
    refuses(varhead_predict(model, images, t, 2, NULL, NULL, &error), "(image 1)");
    images[DIMS + 7] = 1.5f;
    works(varhead_predict(model, images, t, 2, NULL, NULL, &error));
    refuses(varhead_bound(model, NULL, images, 2, bits, &error),
            "images: expected numbers from -1 to 1, got 1.5 (image 1)");
    refuses(varhead_predict(model, images, (int[]){1, -1}, 2, NULL, NULL, &error),
            "t: expected timesteps from 0 to 1000, got -1 (entry 1)");
    varhead_close(model);
}
END_TEST

#ifndef H5_NO_DEPRECATED_SYMBOLS
static herr_t old_handler(void *context)
{
    ++*(int *)context;
    return 0;
}
#endif

START_TEST(a_handler_of_hdf5_comes_back_in_its_old_form_too)
{
#ifdef H5_NO_DEPRECATED_SYMBOLS
    suite_skips("HDF5 with its deprecated functions");
#else
    int calls = 0;
    VarheadModel *model = NULL;
    H5Eset_auto1(old_handler, &calls);
    H5Fopen("/nowhere", H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_eq(calls, 1);
    const char *path = "tests/golden/README.md";
    refuses(varhead_open_files(&model, &path, 1, NULL, &error), path);
    ck_assert_int_eq(calls, 1);
    H5Fopen("/nowhere", H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_eq(calls, 2);
    const Hdf5Messages none = hdf5_messages_off();
    ck_assert(none.has_old_form && none.context == &calls);
#endif
}
END_TEST

/* The address space that is left is less than oneDNN wants. */
START_TEST(without_memory_a_call_fails_and_the_model_stays)
{
#ifdef VARHEAD_NO_DISPATCH
    suite_skips("a limit on memory, which sanitizers take terabytes of");
#else
    static float images[DIMS];
    struct rlimit before, low;
    VarheadOptions *options = options_of("--steps 2");
    VarheadModel *model = open_golden(NULL);
    getrlimit(RLIMIT_AS, &before);
    low = (struct rlimit){.rlim_cur = 64 << 20, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &low), 0);
    ck_assert_int_eq(varhead_sample(model, options, 0, 1, images, &error), VARHEAD_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "the limit on memory is 64 MiB"));
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    works(varhead_sample(model, options, 0, 1, images, &error));
    varhead_close(model);
    varhead_options_free(options);
#endif
}
END_TEST

SUITE_MAIN("library", samples_are_those_of_the_program, a_sample_depends_on_its_number_alone,
           predictions_are_those_of_the_program, bounds_are_those_of_the_program,
           bytes_and_images_are_each_others, a_model_says_what_it_is, the_schedule_is_golden,
           trajectories_are_arrays, options_that_cannot_be_are_refused,
           options_that_do_not_go_together_are_refused, an_image_of_nothing_is_refused_by_name,
           a_handler_of_hdf5_comes_back_in_its_old_form_too,
           without_memory_a_call_fails_and_the_model_stays)
