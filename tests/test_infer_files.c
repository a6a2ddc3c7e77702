/* Tests of the files of `infer`: heads joined from several files, run directories with files of
 * different ages, files with wrong content, and an interrupted command, which leaves no file
 * behind.
 *
 * (Wrong command lines: tests/cli/infer_bad_input.sh.)
 */
#include "tests/infer_program.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define GOLDEN_A "tests/golden/golden_a.h5"
#define EXPECTED_A "tests/golden/golden_a_expected.h5"

/* The five golden points as input of predict. */
static void make_points(void)
{
    hid_t file = file_new("points.h5");
    file_copy(file, "x", EXPECTED_A, "predict/x");
    file_copy(file, "t", EXPECTED_A, "predict/t");
    H5Fclose(file);
}

static void ck_golden_output(const char *name)
{
    char path[64];
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    snprintf(path, sizeof path, "predict/%s", name);
    float *want = golden_floats(EXPECTED_A, path, &rank, dims);
    float *got = read_shaped(in_directory("out.h5"), name, rank, dims);
    ck_arrays_close(path, got, want, golden_count(rank, dims), golden_tolerance(EXPECTED_A, path));
    free(got);
    free(want);
}

static bool says(const char *text)
{
    return strstr(program_output, text) != NULL;
}

/* -- Checkpoints made from golden_a ----------------------------------------------------------- */

static void make_with(const char *name, bool sn, bool npr)
{
    hid_t file = file_from(name, GOLDEN_A);
    if (!sn)
        H5Ldelete(file, "heads_ema/sn", H5P_DEFAULT);
    if (!npr)
        H5Ldelete(file, "heads_ema/npr", H5P_DEFAULT);
    H5Fclose(file);
}

/* Changes the first number of a tensor. */
static void change_tensor(const char *name, const char *tensor, float by)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, tensor, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "%s has no %s", name, tensor);
    hid_t space = H5Dget_space(data);
    float *values = calloc((size_t)H5Sget_simple_extent_npoints(space), sizeof *values);
    H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    values[0] += by;
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static void change_int_attribute(const char *name, const char *attribute, int value)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attr = H5Aopen(file, attribute, H5P_DEFAULT);
    ck_assert(attr >= 0 && H5Awrite(attr, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attr);
    H5Fclose(file);
}

static void change_config(const char *name, const char *text)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    replace_config(file, text);
    H5Fclose(file);
}

/* -- Several files ---------------------------------------------------------------------------- */

START_TEST(heads_of_several_files_join)
{
    program_begin();
    make_points();
    make_with("sn.h5", true, false);
    make_with("npr.h5", false, true);
    make_with("none.h5", false, false);
    infer_ok("predict --checkpoint $D/none.h5 --checkpoint $D/npr.h5 --checkpoint $D/sn.h5 "
             "--input $D/points.h5 --output $D/out.h5");
    ck_golden_output("eps");
    ck_golden_output("sn");
    ck_golden_output("npr");

    infer_ok("predict --checkpoint $D/none.h5 --input $D/points.h5 --output $D/out.h5");
    ck_golden_output("eps");
    ck_assert(!golden_exists(in_directory("out.h5"), "sn"));
    infer_fails(2, "train --stage 2 --loss sn",
                "sample --checkpoint $D/npr.h5 --variance sn --steps 2 --out $D/x.png");
    program_end();
}
END_TEST

START_TEST(files_that_disagree_are_refused)
{
    program_begin();
    make_points();
    make_with("sn.h5", true, false);
    make_with("npr.h5", false, true);
    infer_fails(2, "npr.h5: has an npr head, and so has tests/golden/golden_a.h5",
                "predict --checkpoint " GOLDEN_A " --checkpoint $D/npr.h5 --input $D/points.h5 "
                "--output $D/out.h5");

    change_tensor("npr.h5", "trunk_ema/mid.attn_1.k.bias", 1e-6f);
    infer_fails(2, "they differ first in trunk_ema/mid.attn_1.k.bias",
                "predict --checkpoint $D/sn.h5 --checkpoint $D/npr.h5 --input $D/points.h5 "
                "--output $D/out.h5");
    ck_assert(says("npr.h5: its network is not that of") && says("sn.h5"));

    /* The same shapes, another network: only the configuration tells. */
    change_config("npr.h5", "data: {channels: 3, resolution: 16}\n"
                            "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, "
                            "attention: [8], norm_groups: 4}\n");
    infer_fails(2, "differ in the configuration: model.norm_groups",
                "predict --checkpoint $D/sn.h5 --checkpoint $D/npr.h5 --input $D/points.h5 "
                "--output $D/out.h5");
    ck_assert_int_ne(access(in_directory("out.h5"), F_OK), 0);
    program_end();
}
END_TEST

/* -- Run directories -------------------------------------------------------------------------- */

/* Sets when a file was last written, in seconds from some past moment. */
static void written_at(const char *name, int seconds)
{
    struct timespec times[2] = {{.tv_sec = 1600000000 + seconds}, {.tv_sec = 1600000000 + seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_directory(name), times, 0), 0);
}

START_TEST(a_run_directory_has_its_heads)
{
    program_begin();
    make_points();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    infer_fails(2, "holds no checkpoint",
                "predict --run $D/run --input $D/points.h5 --output $D/out.h5");
    make_with("run/stage1.h5", false, false);
    change_int_attribute("run/stage1.h5", "stage", 1);
    infer_ok("predict --run $D/run --input $D/points.h5 --output $D/out.h5");
    ck_golden_output("eps");
    ck_assert(!golden_exists(in_directory("out.h5"), "sn"));

    make_with("run/stage2-sn.h5", true, false);
    make_with("run/stage2-npr.h5", false, true);
    infer_ok("predict --run $D/run --input $D/points.h5 --output $D/out.h5");
    ck_assert(!says("note"));
    ck_golden_output("sn");
    ck_golden_output("npr");

    infer_ok("info --run $D/run");
    const char *first = strstr(program_output, "stage1.h5");
    ck_assert(first && strstr(first, "stage2-npr.h5") && strstr(first, "stage2-sn.h5"));
    program_end();
}
END_TEST

/* Of a head that is in two files the newer is taken, and a note says so. */
START_TEST(the_newer_head_is_taken)
{
    program_begin();
    make_points();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    make_with("run/stage2-sn.h5", true, false);
    make_with("run/stage2-npr+sn.h5", true, true);
    change_tensor("run/stage2-npr+sn.h5", "heads_ema/sn/conv_out.bias", 1);
    written_at("run/stage2-sn.h5", 100);
    written_at("run/stage2-npr+sn.h5", 50);
    infer_ok("predict --run $D/run --input $D/points.h5 --output $D/out.h5");
    ck_assert(says("note: takes the sn head of") && says("stage2-sn.h5, which is newer"));
    ck_golden_output("sn");
    ck_golden_output("npr");

    /* The other way round, the changed one. */
    written_at("run/stage2-sn.h5", 10);
    infer_ok("predict --quiet --run $D/run --input $D/points.h5 --output $D/out.h5");
    ck_assert_msg(program_output[0] == '\0', "--quiet, but: %s", program_output);
    float *want = golden_floats(EXPECTED_A, "predict/sn", NULL, NULL);
    float *got = golden_floats(in_directory("out.h5"), "sn", NULL, NULL);
    ck_assert(fabs(got[0] - want[0] - 1) < 1e-3);
    free(got);
    free(want);
    program_end();
}
END_TEST

/* Stage 1 was trained on: heads stay with the network that they were trained with. A head of yet
 * another network is left out. */
START_TEST(heads_keep_their_network)
{
    program_begin();
    make_points();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    make_with("run/stage1.h5", false, false);
    change_int_attribute("run/stage1.h5", "stage", 1);
    change_tensor("run/stage1.h5", "trunk_ema/conv_in.bias", 3);
    make_with("run/stage2-sn.h5", true, false);
    make_with("run/stage2-npr.h5", false, true);
    change_tensor("run/stage2-npr.h5", "trunk_ema/conv_in.bias", 2);
    written_at("run/stage2-sn.h5", 100);
    written_at("run/stage2-npr.h5", 50);
    infer_ok("predict --run $D/run --input $D/points.h5 --output $D/out.h5");
    ck_assert(says("stage1.h5 was trained on since"));
    ck_assert(says("leaves out the heads of") && says("stage2-npr.h5: they are for another"));
    ck_golden_output("eps");
    ck_golden_output("sn");
    ck_assert(!golden_exists(in_directory("out.h5"), "npr"));
    program_end();
}
END_TEST

/* What `train` leaves that was stopped before it had solved for its heads: sums, and heads of zeros. */
START_TEST(heads_that_are_not_solved_for_are_left_out)
{
    const double sums[] = {0};
    const int64_t count = 1;
    program_begin();
    make_points();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    make_with("run/stage2-npr.h5", false, true);
    hid_t file = H5Fopen(in_directory("run/stage2-npr.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "least_squares", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    file_add(file, "least_squares/sums", H5T_NATIVE_DOUBLE, 1, &count, sums);
    H5Fclose(file);
    infer_fails(2, "stage2-npr.h5: has no heads that can be used: they are not solved for yet",
                "predict --input $D/points.h5 --output $D/out.h5 --checkpoint "
                "$D/run/stage2-npr.h5");
    infer_ok("predict --input $D/points.h5 --output $D/out.h5 --run $D/run");
    ck_assert(says("leaves out the heads of"));
    ck_assert(!golden_exists(in_directory("out.h5"), "npr"));
    program_end();
}
END_TEST

/* -- Files that are not what they should be --------------------------------------------------- */

#define PREDICT "predict --input $D/points.h5 --output $D/out.h5 --checkpoint "

START_TEST(bad_checkpoints_are_refused)
{
    program_begin();
    make_points();
    make_with("bad.h5", true, true);
    change_int_attribute("bad.h5", "version", 9);
    infer_fails(2, "bad.h5: is a checkpoint of format version 9", PREDICT "$D/bad.h5");
    infer_fails(2, "bad.h5: is a checkpoint of format version 9", "info $D/bad.h5");

    infer_fails(2, "points.h5: is an HDF5 file, but no checkpoint", PREDICT "$D/points.h5");

    make_with("bad.h5", true, true);
    change_tensor("bad.h5", "trunk_ema/conv_in.weight", NAN);
    infer_fails(2, "bad.h5:/trunk_ema/conv_in.weight: expected finite numbers",
                PREDICT "$D/bad.h5");

    make_with("bad.h5", true, true);
    hid_t file = H5Fopen(in_directory("bad.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "heads_ema/sn/conv_out.bias", H5P_DEFAULT);
    H5Fclose(file);
    infer_fails(2, "bad.h5:/heads_ema/sn/conv_out.bias: is missing", PREDICT "$D/bad.h5");
    infer_fails(2, "bad.h5:/heads_ema/sn/conv_out.bias: is missing", "info $D/bad.h5");

    /* A network that the file does not hold, and far more of it than there is memory. */
    make_with("bad.h5", true, true);
    change_config("bad.h5", "data: {channels: 3, resolution: 16}\n"
                            "model: {channels: 4096, channel_mult: [1, 2], norm_groups: 1024, "
                            "res_blocks: 16, attention: [8]}\n");
    infer_fails(2, "bad.h5:/trunk_ema/", PREDICT "$D/bad.h5");
    ck_assert(says("expected shape"));

    ck_assert_int_eq(truncate(in_directory("bad.h5"), 100000), 0);
    infer_fails(2, "bad.h5: is a damaged or truncated HDF5 file", PREDICT "$D/bad.h5");
    ck_assert_int_ne(access(in_directory("out.h5"), F_OK), 0);
    program_end();
}
END_TEST

/* Writes input for predict: x of shape [images, 3, 16, side], t [times] of which the last is `t`. */
static void make_input(int64_t images, int64_t side, int64_t times, int64_t t)
{
    static float x[4 * 3 * 16 * 32];
    const int64_t dims[] = {images, 3, 16, side};
    int64_t timesteps[4] = {1, 1, 1, 1};
    if (times > 0)
        timesteps[times - 1] = t;
    hid_t file = file_new("points.h5");
    file_add(file, "x", H5T_NATIVE_FLOAT, 4, dims, x);
    file_add(file, "t", H5T_NATIVE_INT64, 1, &times, timesteps);
    H5Fclose(file);
}

START_TEST(bad_points_are_refused)
{
    program_begin();
    make_input(3, 16, 3, 1000);
    infer_ok(PREDICT GOLDEN_A);
    make_input(3, 16, 3, 0);
    infer_ok(PREDICT GOLDEN_A);
    ck_assert_int_eq(remove(in_directory("out.h5")), 0);

    make_input(3, 16, 3, 1001);
    infer_fails(2, "points.h5:/t: expected timesteps from 0 to 1000, found 1001 (entry 2)",
                PREDICT GOLDEN_A);
    make_input(3, 16, 3, -1);
    infer_fails(2, "found -1", PREDICT GOLDEN_A);
    make_input(3, 16, 2, 1);
    infer_fails(2, "points.h5:/t: expected shape [3], found [2]", PREDICT GOLDEN_A);
    make_input(3, 32, 3, 1);
    infer_fails(2, "points.h5:/x: expected shape [any, 3, 16, 16], found [3, 3, 16, 32]",
                PREDICT GOLDEN_A);
    static float x[3 * 16 * 16 * 3];
    hid_t file = file_new("points.h5");
    file_add(file, "x", H5T_NATIVE_FLOAT, 4, (int64_t[]){3, 16, 16, 3}, x);
    H5Fclose(file);
    infer_fails(2,
                "points.h5:/x: expected shape [any, 3, 16, 16], found [3, 16, 16, 3]: it looks "
                "like [..., H, W, C], "
                "expected channels first",
                PREDICT GOLDEN_A);
    make_input(0, 16, 0, 0);
    infer_fails(2, "points.h5:/x: expected 1 to", PREDICT GOLDEN_A);

    make_input(3, 16, 3, 1);
    change_tensor("points.h5", "x", INFINITY);
    infer_fails(2, "points.h5:/x: expected finite numbers, found inf", PREDICT GOLDEN_A);

    file = file_new("points.h5");
    file_copy(file, "x", EXPECTED_A, "predict/x");
    H5Fclose(file);
    infer_fails(2, "points.h5:/t: is missing", PREDICT GOLDEN_A);
    ck_assert_int_ne(access(in_directory("out.h5"), F_OK), 0);
    program_end();
}
END_TEST

#define WITH_NOISE                                                                                 \
    "sample --checkpoint " GOLDEN_A " --noise $D/noise.h5 --out $D/samples.h5 --steps "

START_TEST(bad_noise_is_refused)
{
    program_begin();
    hid_t file = file_new("noise.h5");
    file_copy(file, "x_T", EXPECTED_A, "sample/ddpm_sn/x_T");
    H5Fclose(file);
    infer_ok(WITH_NOISE "1"); /* one step takes the mean */
    ck_assert_int_eq(remove(in_directory("samples.h5")), 0);
    infer_fails(2, "noise.h5:/noise: is missing", WITH_NOISE "5");

    file = H5Fopen(in_directory("noise.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    file_copy(file, "noise", EXPECTED_A, "sample/ddpm_sn/noise");
    H5Fclose(file);
    infer_fails(2, "noise.h5:/noise: expected shape [5, 2, 3, 16, 16], found [4, 2, 3, 16, 16]",
                WITH_NOISE "6");
    infer_fails(2, "--count", WITH_NOISE "5 --count 2");
    infer_fails(2, "one number of steps", WITH_NOISE "5,6");
    change_tensor("noise.h5", "noise", NAN);
    infer_fails(2, "noise.h5:/noise: expected finite numbers", WITH_NOISE "5");
    infer_fails(2, "noise.h5:/x_T: expected shape [any, 1, 8, 8], found [2, 3, 16, 16]",
                "sample --checkpoint tests/golden/golden_b.h5 --noise $D/noise.h5 --steps 5 "
                "--out $D/samples.h5");
    ck_assert_int_ne(access(in_directory("samples.h5"), F_OK), 0);
    program_end();
}
END_TEST

/* Stores the data set again compressed, without its last row, as if the writer had died before that. */
static void lose_last_row(const char *name, const char *dataset)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t old = H5Dopen2(file, dataset, H5P_DEFAULT);
    ck_assert_msg(old >= 0, "%s has no %s", name, dataset);
    hid_t type = H5Dget_type(old), space = H5Dget_space(old),
          creation = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dims[GOLDEN_MAX_RANK], start[GOLDEN_MAX_RANK] = {0}, chunk[GOLDEN_MAX_RANK];
    const int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    void *values = calloc((size_t)H5Sget_simple_extent_npoints(space), H5Tget_size(type));
    ck_assert(H5Dread(old, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    memcpy(chunk, dims, sizeof chunk);
    chunk[0] = 1;
    H5Pset_chunk(creation, rank, chunk);
    H5Pset_deflate(creation, 6);
    H5Dclose(old);
    H5Ldelete(file, dataset, H5P_DEFAULT);
    hid_t data = H5Dcreate2(file, dataset, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    memcpy(chunk, dims, sizeof chunk);
    chunk[0]--;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, chunk, NULL);
    ck_assert(H5Dwrite(data, type, space, space, H5P_DEFAULT, values) >= 0);
    free(values);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(data);
    H5Fclose(file);
}

START_TEST(parts_that_were_never_stored_are_missed)
{
    program_begin();
    make_points();
    lose_last_row("points.h5", "x");
    infer_fails(2, "points.h5:/x: is incomplete: shape [5, 3, 16, 16] takes ", PREDICT GOLDEN_A);
    make_points();
    lose_last_row("points.h5", "t");
    infer_fails(2, "points.h5:/t: is incomplete: shape [5] takes ", PREDICT GOLDEN_A);
    make_points();

    static const char *const tensors[] = {
        "trunk_ema/conv_in.weight", "heads_ema/sn/conv_out.weight", "heads_ema/npr/norm_out.bias"};
    for (int i = 0; i < 3; i++) {
        char expected[80];
        snprintf(expected, sizeof expected, "half.h5:/%s: is incomplete: shape [", tensors[i]);
        make_with("half.h5", true, true);
        lose_last_row("half.h5", tensors[i]);
        infer_fails(2, expected, PREDICT "$D/half.h5");
        infer_fails(2, expected, "info $D/half.h5");
        infer_fails(2, expected, "info --verify $D/half.h5");
    }

    static const char *const noises[] = {"x_T", "noise"};
    for (int i = 0; i < 2; i++) {
        hid_t file = file_new("noise.h5");
        file_copy(file, "x_T", EXPECTED_A, "sample/ddpm_sn/x_T");
        file_copy(file, "noise", EXPECTED_A, "sample/ddpm_sn/noise");
        H5Fclose(file);
        lose_last_row("noise.h5", noises[i]);
        infer_fails(2, "is incomplete: shape [", WITH_NOISE "5");
    }
    ck_assert_int_ne(access(in_directory("out.h5"), F_OK), 0);
    ck_assert_int_ne(access(in_directory("samples.h5"), F_OK), 0);
    program_end();
}
END_TEST

START_TEST(outputs_are_checked_first)
{
    program_begin();
    make_points();
    const char *draw = "sample --checkpoint " GOLDEN_A " --count 100000 --steps 1000 --out";
    infer_fails(1, "no/a.h5: cannot be written: No such file or directory", "%s $D/no/a.h5", draw);
    infer_fails(1, "no/a.png: cannot be written: No such file or directory", "%s $D/no/a.png",
                draw);
    infer_fails(2, "--output: expected a name that ends in .h5",
                "predict --checkpoint " GOLDEN_A " --input $D/points.h5 --output $D");
    ck_assert_int_eq(mkdir(in_directory("here.h5"), 0777), 0);
    infer_fails(2, "here.h5: is a directory",
                "predict --checkpoint " GOLDEN_A " --input $D/points.h5 --output $D/here.h5");
    infer_fails(2, "a picture of",
                "sample --checkpoint " GOLDEN_A " --steps 1000 --count 5000 "
                "--columns 1 --scale 10 --out $D/a.png");

    /* A checkpoint is never what should be replaced. */
    make_with("keep.h5", true, true);
    infer_fails(2, "keep.h5: is a checkpoint", "%s $D/keep.h5", draw);
    infer_fails(2, "keep.h5: is a checkpoint",
                "predict --checkpoint " GOLDEN_A " --input $D/points.h5 --output $D/keep.h5");
    program_end();
}
END_TEST

/* -- Stopping --------------------------------------------------------------------------------- */

/* How many files are in the test's directory, besides the program's output. */
static int files_there(void)
{
    int count = 0;
    DIR *entries = opendir(program_directory);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "output") != 0;
    closedir(entries);
    return count;
}

/* Waits until a file has been there for half a second, as the one that sampling begins before its
   first step. The file that only tries whether one can be written is removed at once. */
static void await_file(void)
{
    for (int i = 0, seen = 0; i < 6000 && seen < 50; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        seen = files_there() == 1 ? seen + 1 : 0;
    }
}

/* Sampling may be stopped while its file is unfinished. */
static void ck_stops(int signal, int exit_status)
{
    pid_t child = fork();
    if (child == 0) {
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        execlp("infer", "infer", "sample", "--quiet", "--checkpoint", GOLDEN_A, "--count", "100000",
               "--steps", "1000", "--out", in_directory("long.h5"), (char *)NULL);
        _exit(99);
    }
    await_file();
    ck_assert_int_eq(files_there(), 1);
    kill(child, signal);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), exit_status);
    ck_assert_int_eq(files_there(), 0);
}

START_TEST(a_signal_leaves_no_file)
{
    program_begin();
    ck_stops(SIGINT, 130);
    ck_stops(SIGTERM, 143);
    program_end();
}
END_TEST

SUITE_MAIN("infer_files", heads_of_several_files_join, files_that_disagree_are_refused,
           a_run_directory_has_its_heads, the_newer_head_is_taken, heads_keep_their_network,
           heads_that_are_not_solved_for_are_left_out, bad_checkpoints_are_refused,
           bad_points_are_refused, bad_noise_is_refused, parts_that_were_never_stored_are_missed,
           outputs_are_checked_first, a_signal_leaves_no_file)
