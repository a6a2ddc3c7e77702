/* Tests of `infer nll`: its bounds equal those of another implementation with the same noise, and
 * do not depend on the other cells of a call, on the batch or on the threads. */
#include "tests/infer_program.h"

/* The columns of a row of the CSV. */
typedef struct Row {
    char variance[32], trajectory[32];
    int steps, images;
    double bits, error;
} Row;

enum { MAX_ROWS = 64 };

static int read_rows(const char *name, Row *rows)
{
    FILE *file = fopen(in_directory(name), "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_str_eq(line, "variance,trajectory,steps,bits_per_dim,stderr,images\n");
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        Row *row = &rows[count++];
        ck_assert_int_eq(sscanf(line, "%31[^,],%31[^,],%d,%lf,%lf,%d", row->variance,
                                row->trajectory, &row->steps, &row->bits, &row->error,
                                &row->images),
                         6);
    }
    fclose(file);
    return count;
}

/* The images and the noise of a golden file, as the program takes them. */
static void make_inputs(const char *expected)
{
    hid_t images = file_new("images.h5"), noise = file_new("noise.h5");
    file_copy(images, "images", expected, "nll/x0");
    file_copy(noise, "eps", expected, "nll/beta/eps");
    file_copy(noise, "t", expected, "nll/beta/eps_t");
    H5Fclose(images);
    H5Fclose(noise);
}

static void check_golden(const char *checkpoint, const char *expected, const char *variances)
{
    Row rows[MAX_ROWS];
    make_inputs(expected);
    infer_ok("nll --checkpoint %s --variance %s --steps 10 --input $D/images.h5 "
             "--noise $D/noise.h5 --out $D/nll.csv",
             checkpoint, variances);
    const int count = read_rows("nll.csv", rows);
    ck_assert_int_ge(count, 4);
    for (int i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "nll/%.31s/bits_per_dim", rows[i].variance);
        double *want = golden_doubles(expected, path, NULL, NULL);
        ck_assert_msg(fabs(rows[i].bits - *want) <= 1e-4 * *want, "%s: %.9g, expected %.9g",
                      rows[i].variance, rows[i].bits, *want);
        free(want);

        /* The standard error over the two images is half their difference. */
        int64_t shape[GOLDEN_MAX_RANK];
        int rank;
        snprintf(path, sizeof path, "nll/%.31s/terms_bits_per_dim_each", rows[i].variance);
        double *each = golden_doubles(expected, path, &rank, shape), difference = 0;
        ck_assert_int_eq(shape[0], 2);
        for (int64_t k = 0; k < shape[1]; k++)
            difference += each[k] - each[shape[1] + k];
        ck_assert_double_eq_tol(rows[i].error, fabs(difference) / 2, 1e-2 * fabs(difference));
        ck_assert_int_eq(rows[i].images, 2);
        free(each);
    }
}

START_TEST(bounds_are_golden)
{
    program_begin();
    check_golden("tests/golden/golden_b.h5", "tests/golden/golden_b_expected.h5",
                 "beta,beta_tilde,analytic,npr,sn");
    check_golden("tests/golden/golden_a.h5", "tests/golden/golden_a_expected.h5",
                 "beta,beta_tilde,npr,sn");
    program_end();
}
END_TEST

static void ck_same_rows(const char *name, const char *name_b, double tolerance)
{
    Row rows[MAX_ROWS], rows_b[MAX_ROWS];
    const int count = read_rows(name, rows);
    ck_assert_int_eq(read_rows(name_b, rows_b), count);
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(rows[i].variance, rows_b[i].variance);
        ck_assert_int_eq(rows[i].steps, rows_b[i].steps);
        ck_assert_double_le(fabs(rows[i].bits - rows_b[i].bits), tolerance * rows[i].bits);
    }
}

/* A cell is the same alone and in company, in batches of any size, at any number of threads; the
 * bound of quad visits other timesteps. */
START_TEST(cells_do_not_depend_on_the_company)
{
    const char *base = "--checkpoint tests/golden/golden_b.h5 --input $D/images.h5";
    Row rows[MAX_ROWS], alone[MAX_ROWS];
    program_begin();
    make_inputs("tests/golden/golden_b_expected.h5");
    infer_ok("nll %s --steps 5,20,200 --threads 1 --out $D/all.csv", base);
    infer_ok("nll %s --steps 5,20,200 --threads 1 --out $D/again.csv", base);
    infer_ok("nll %s --steps 5,20,200 --threads 2 --batch 1 --out $D/split.csv", base);
    ck_same_rows("all.csv", "again.csv", 0);
    ck_same_rows("all.csv", "split.csv", 1e-5);

    const int count = read_rows("all.csv", rows);
    ck_assert(count % 3 == 0 && count >= 15); /* five variances or more */
    infer_ok("nll %s --variance sn --steps 20 --threads 1 --out $D/alone.csv", base);
    ck_assert_int_eq(read_rows("alone.csv", alone), 1);
    for (int i = 0; i < count; i++)
        if (rows[i].steps == 20 && strcmp(rows[i].variance, "sn") == 0)
            ck_assert(rows[i].bits == alone[0].bits);

    infer_ok("nll %s --variance sn --steps 20 --trajectory quad --out $D/alone.csv", base);
    read_rows("alone.csv", alone);
    ck_assert_str_eq(alone[0].trajectory, "quad");
    for (int i = 0; i < count; i++)
        ck_assert(rows[i].bits != alone[0].bits);
    program_end();
}
END_TEST

/* Writes the grey images of images.h5 as an IDX file. */
static void write_as_idx(const char *name)
{
    unsigned char header[16] = {[2] = 8, [3] = 3};
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    uint8_t *pixels = golden_bytes(in_directory("images.h5"), "images", &rank, dims);
    ck_assert(rank == 4 && dims[3] == 1);
    for (int i = 0; i < 3; i++)
        header[4 * i + 7] = (unsigned char)dims[i];
    const size_t size = (size_t)(dims[0] * dims[1] * dims[2]);
    FILE *idx = fopen(in_directory(name), "wb");
    ck_assert_uint_eq(fwrite(header, 1, sizeof header, idx), sizeof header);
    ck_assert_uint_eq(fwrite(pixels, 1, size, idx), size);
    fclose(idx);
    free(pixels);
}

START_TEST(input_may_have_any_format)
{
    const char *base = "--checkpoint tests/golden/golden_b.h5 --variance sn,npr --steps 5";
    program_begin();
    make_inputs("tests/golden/golden_b_expected.h5");
    write_as_idx("pictures");
    infer_ok("nll %s --threads 1 --input $D/images.h5 --out $D/hdf5.csv", base);
    infer_ok("nll %s --threads 1 --input $D/pictures --out $D/idx.csv", base);
    ck_same_rows("hdf5.csv", "idx.csv", 0);
    program_end();
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    const char *base = "--checkpoint tests/golden/golden_a.h5 --input $D/images.h5";
    program_begin();
    make_inputs("tests/golden/golden_a_expected.h5");
    infer_fails(2, "analytic", "nll %s --variance analytic", base);
    infer_fails(2, "--steps", "nll %s --steps 1001", base);
    infer_fails(2, "--variance: sn is given twice", "nll %s --variance sn,sn", base);
    infer_fails(2, "--images: expected at most 2", "nll %s --images 3", base);
    infer_fails(2, "noise.h5:/t: expected timestep", "nll %s --steps 3 --noise $D/noise.h5", base);
    infer_fails(2, "images.h5", "nll --checkpoint tests/golden/golden_b.h5 --input $D/images.h5");
    infer_fails(2, "data.test", "nll --checkpoint tests/golden/golden_a.h5");
    infer_fails(2, "images.h5", "nll %s --out $D/images.h5", base);
    program_end();
}
END_TEST

SUITE_MAIN("nll", bounds_are_golden, cells_do_not_depend_on_the_company, input_may_have_any_format,
           what_is_missing_is_named)
