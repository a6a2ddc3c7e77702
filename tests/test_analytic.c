/* `infer analytic`: the constants against predictions at points that are made here, what becomes of
 * the files that they are added to, and the variances that read them. */
#include "base/random.h"
#include "config_text.h"
#include "diffusion/schedule.h"
#include "infer_program.h"
#include "io/dataset.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define GOLDEN_A "tests/golden/golden_a.h5"
#define GOLDEN_B "tests/golden/golden_b.h5"

enum { N = 1000, CHANNELS = 3, SIDE = 16, PIXELS = SIDE * SIDE, DIMS = CHANNELS * PIXELS };

static const char mixture_a[] =
    "name: golden-a\n"
    "data: {format: mixture, channels: 3, resolution: 16}\n"
    "diffusion: {schedule: linear, timesteps: 1000}\n"
    "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [8], dropout: 0.0, "
    "norm_groups: 8}\n"
    "head: {type: simple}\n"
    "seed: 5\n";

static const char mixture_b[] =
    "name: golden-b\n"
    "data: {format: mixture, channels: 1, resolution: 8}\n"
    "diffusion: {schedule: cosine, timesteps: 200}\n"
    "model: {channels: 32, channel_mult: [1, 1], res_blocks: 2, attention: [4, 8], dropout: 0.0, "
    "norm_groups: 16}\n"
    "head: {type: complex}\n"
    "seed: 5\n";

static void replace_config(hid_t file, const char *text)
{
    H5Ldelete(file, "config", H5P_DEFAULT);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t data = H5Dcreate2(file, "config", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Tclose(type);
}

/* A copy of golden_a whose data set is the mixture. */
static void make_a(const char *name)
{
    hid_t file = file_from(name, GOLDEN_A);
    replace_config(file, mixture_a);
    H5Fclose(file);
}

static void change_tensor(const char *name, const char *tensor, float factor, float offset)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, tensor, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "%s has no %s", name, tensor);
    hid_t space = H5Dget_space(data);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    float *values = calloc(count, sizeof *values);
    H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    for (size_t i = 0; i < count; i++)
        values[i] = factor * values[i] + offset;
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static bool says(const char *text)
{
    return strstr(program_output, text) != NULL;
}

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

/* -- The files -------------------------------------------------------------------------------- */

/* What H5Ovisit compares: every object of one file with that of the other. */
typedef struct Compare {
    hid_t other;
    int sets, attributes;
} Compare;

static void *raw_bytes(hid_t object, bool attribute, size_t *size)
{
    hid_t type = attribute ? H5Aget_type(object) : H5Dget_type(object);
    hid_t space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    *size = count * H5Tget_size(type);
    void *bytes = calloc(1, *size + 1);
    herr_t status = attribute ? H5Aread(object, type, bytes)
                              : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    ck_assert(status >= 0);
    if (H5Tis_variable_str(type) > 0) { /* one string: its text */
        void *text = strdup(*(char **)bytes);
        *size = strlen(text);
        H5free_memory(*(char **)bytes);
        free(bytes);
        bytes = text;
    }
    H5Sclose(space);
    H5Tclose(type);
    return bytes;
}

static void ck_same_values(hid_t a, hid_t b, bool attribute, const char *name)
{
    ck_assert_msg(a >= 0 && b >= 0, "%s is lost", name);
    hid_t type_a = attribute ? H5Aget_type(a) : H5Dget_type(a);
    hid_t type_b = attribute ? H5Aget_type(b) : H5Dget_type(b);
    ck_assert_msg(H5Tequal(type_a, type_b) > 0, "%s has another type", name);
    H5Tclose(type_a);
    H5Tclose(type_b);
    size_t size_a, size_b;
    void *bytes_a = raw_bytes(a, attribute, &size_a), *bytes_b = raw_bytes(b, attribute, &size_b);
    ck_assert_msg(size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0, "%s has changed",
                  name);
    free(bytes_a);
    free(bytes_b);
}

static herr_t compare_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    Compare *compare = data;
    hid_t a = H5Aopen(object, name, H5P_DEFAULT), b = H5Aopen(compare->other, name, H5P_DEFAULT);
    ck_same_values(a, b, true, name);
    H5Aclose(a);
    H5Aclose(b);
    compare->attributes++;
    return 0;
}

static herr_t compare_object(hid_t root, const char *name, const H5L_info_t *info, void *data)
{
    (void)info;
    Compare *compare = data;
    if (strncmp(name, "analytic", 8) == 0)
        return 0;
    ck_assert_msg(H5Lexists(compare->other, name, H5P_DEFAULT) > 0, "%s is lost", name);
    hid_t a = H5Oopen(root, name, H5P_DEFAULT), b = H5Oopen(compare->other, name, H5P_DEFAULT);
    if (H5Iget_type(a) == H5I_DATASET) {
        ck_same_values(a, b, false, name);
        compare->sets++;
    }
    H5Oclose(a);
    H5Oclose(b);
    return 0;
}

/* Everything of `before`, but for /analytic, is in `after`; how many arrays that were. */
static int ck_keeps(const char *before, const char *after)
{
    hid_t a = golden_open(before);
    Compare compare = {.other = golden_open(after)};
    ck_assert(H5Lvisit(a, H5_INDEX_NAME, H5_ITER_INC, compare_object, &compare) >= 0);
    ck_assert(H5Aiterate2(a, H5_INDEX_NAME, H5_ITER_INC, NULL, compare_attribute, &compare) >= 0);
    ck_assert_int_ge(compare.attributes, 4);
    H5Fclose(compare.other);
    H5Fclose(a);
    return compare.sets;
}

static void written_at(const char *name, int seconds)
{
    struct timespec times[2] = {{.tv_sec = 1600000000 + seconds}, {.tv_sec = 1600000000 + seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_directory(name), times, 0), 0);
}

static off_t size_of(const char *name)
{
    struct stat status;
    ck_assert_int_eq(stat(in_directory(name), &status), 0);
    return status.st_size;
}

#define ANALYTIC "analytic --quiet --images 3 --timesteps 3 "

/* Arrays, strings of both kinds, attributes, a link, what somebody else has put there, permissions and
 * time; twice the same makes the same bytes, and another time replaces the constants. */
START_TEST(nothing_else_changes)
{
    const int64_t three = 3;
    const double extra[] = {1, 2, NAN};
    struct stat status;
    program_begin();
    make_a("a.h5");
    hid_t file = H5Fopen(in_directory("a.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    file_add(file, "extra", H5T_IEEE_F64BE, 1, &three, extra);
    ck_assert(H5Lcreate_soft("/trunk_ema", file, "ema", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ck_assert_int_eq(chmod(in_directory("a.h5"), 0640), 0);
    written_at("a.h5", 77);
    ck_assert_int_eq(system("cp $D/a.h5 $D/before.h5"), 0);

    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert_int_gt(ck_keeps(in_directory("before.h5"), in_directory("a.h5")), 100);
    ck_assert_int_eq(stat(in_directory("a.h5"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0640);
    ck_assert_int_eq(status.st_mtim.tv_sec, 1600000077);

    ck_assert_int_eq(system("cp $D/a.h5 $D/first.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert_int_eq(system("cmp $D/a.h5 $D/first.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5 --seed 8");
    ck_assert_int_eq(size_of("a.h5"), size_of("first.h5"));
    ck_assert_int_ne(system("cmp -s $D/a.h5 $D/first.h5"), 0);
    ck_assert_int_eq(golden_attr_int(in_directory("a.h5"), "analytic", "seed"), 8);
    ck_keeps(in_directory("before.h5"), in_directory("a.h5"));

    /* As h5py wrote it, with constants of its own and its strings of fixed length. */
    file = file_from("b.h5", GOLDEN_B);
    replace_config(file, mixture_b);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/b.h5 $D/before.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/b.h5");
    ck_assert_int_gt(ck_keeps(in_directory("before.h5"), in_directory("b.h5")), 100);

    /* What is not in the file can't be kept. */
    file = H5Fopen(in_directory("b.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(H5Lcreate_external("a.h5", "/extra", file, "far", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/b.h5 $D/before.h5"), 0);
    infer_fails(2, "b.h5:/far: links to another file", ANALYTIC "--checkpoint $D/b.h5");
    ck_assert_int_eq(system("cmp $D/b.h5 $D/before.h5"), 0);
    ck_assert_int_eq(system("ls $D | grep -q tmp"), 256); /* none is left */
    program_end();
}
END_TEST

/* What `infer analytic` does not read otherwise, in chunks, of any type; only numbers can have checksums. */
static void add_chunks(hid_t file, const char *name, hid_t type, hsize_t count, const void *values)
{
    hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, (hsize_t[]){count / 2});
    if (H5Tget_class(type) == H5T_INTEGER)
        H5Pset_fletcher32(creation);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
}

static void flip_a_bit(const char *name, const void *of, size_t size)
{
    static char bytes[1 << 22];
    FILE *file = fopen(in_directory(name), "r+");
    ck_assert_ptr_nonnull(file);
    char *place = memmem(bytes, fread(bytes, 1, sizeof bytes, file), of, size);
    ck_assert_msg(place != NULL, "%s does not hold what should be damaged", name);
    fseek(file, place - bytes, SEEK_SET);
    fputc(*place ^ 1, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Known before anything is measured: else the damage would be in two files, and the good copy that somebody
 * may have would be thought older. */
START_TEST(what_is_damaged_is_said_and_not_copied)
{
    static const uint16_t notes[4] = {0x1234, 0x5678, 0x9abc, 0xdef0};
    const char *texts[2] = {"of any", "length"};
    program_begin();
    make_a("a.h5");
    hid_t file = H5Fopen(in_directory("a.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "notes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    add_chunks(file, "notes/numbers", H5T_STD_U16LE, 4, notes);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    add_chunks(file, "notes/texts", text, 2, texts);
    H5Tclose(text);
    H5Fclose(file);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert(golden_exists(in_directory("a.h5"), "notes/texts"));

    flip_a_bit("a.h5", &notes[2], sizeof notes[2]);
    ck_assert_int_eq(system("cp $D/a.h5 $D/before.h5"), 0);
    infer_fails(2,
                "a.h5:/notes/numbers: its checksum is wrong: the file was damaged after it was "
                "written",
                "analytic --checkpoint $D/a.h5 --images 60000");
    ck_assert_int_eq(system("cmp $D/a.h5 $D/before.h5"), 0);
    ck_assert_int_eq(system("ls $D | grep -q tmp"), 256);
    program_end();
}
END_TEST

/* Every file with this network gets them; the order of their ages stays. */
START_TEST(a_run_directory_gets_them_all)
{
    program_begin();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    make_a("run/stage1.h5");
    make_a("run/stage2-sn.h5");
    make_a("run/stage2-npr.h5");
    make_a("run/stage2-npr+sn.h5");
    change_tensor("run/stage2-npr.h5", "trunk_ema/conv_in.bias", 1, 2);
    written_at("run/stage2-sn.h5", 100);
    written_at("run/stage2-npr+sn.h5", 90);
    written_at("run/stage2-npr.h5", 80);
    infer_fails(2, "infer analytic --run",
                "sample --quiet --run $D/run --variance analytic "
                "--steps 2 --count 1 --out $D/x.h5");
    infer_fails(2, "the variance analytic_diag needs the array /analytic/ms_eps_diag",
                "sample --quiet --run $D/run --variance analytic_diag --steps 2 --count 1 "
                "--out $D/x.h5");
    infer_ok("info --run $D/run");
    ck_assert(says("no E||eps_hat||^2/d; infer analytic adds it"));
    infer_ok(ANALYTIC "--run $D/run");
    ck_assert(golden_exists(in_directory("run/stage1.h5"), "analytic/ms_eps"));
    ck_assert(golden_exists(in_directory("run/stage2-sn.h5"), "analytic/ms_eps"));
    ck_assert(golden_exists(in_directory("run/stage2-npr+sn.h5"), "analytic/ms_eps_diag"));
    ck_assert(!golden_exists(in_directory("run/stage2-npr.h5"), "analytic"));
    infer_ok("sample --run $D/run --variance analytic,analytic_diag,sn --steps 2,3 --count 2 "
             "--out $D/x.h5");
    ck_assert(says("takes the sn head of") && says("stage2-sn.h5, which is newer"));
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
           standard_errors_are_honest, nothing_else_changes, what_is_damaged_is_said_and_not_copied,
           a_run_directory_gets_them_all, the_diagonal_is_per_dimension, a_bound_reads_the_diagonal)
