/* Tests of training that goes wrong: losses or gradients that are not finite, and checkpoints that
 * cannot be continued. The run stops with a line that names the cause, and the last good checkpoint
 * stays as it was. (Wrong command lines, configurations and images, and full disks:
 * tests/cli/train_bad_input.sh.) */
#include "tests/train_program.h"

/* -- Numbers that are none -------------------------------------------------------------------- */

/* Sets every number of a dataset of a scratch file. */
static void fill(const char *file, const char *dataset, float value)
{
    hid_t handle = H5Fopen(scratch_path(file), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(handle, dataset, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "%s: there is no dataset %s", file, dataset);
    hid_t space = H5Dget_space(data);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    ck_assert(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    free(values);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(handle);
}

/* Weights near the end of what a float can hold: the very next loss is no number. */
START_TEST(a_loss_that_is_no_number_stops_the_run)
{
    size_t size;
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=6");
    fill("r/stage1.h5", "/trunk/conv_in.weight", 3e38f);
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    train_fails(1, "the last good checkpoint is r/stage1.h5 (step 6)",
                "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=20");
    ck_assert_ptr_nonnull(strstr(train_log(), "stage1: the loss of eps is "));
    ck_assert_ptr_nonnull(strstr(train_log(), " at step 7, training stops"));
    ck_assert_ptr_nonnull(strstr(train_log(),
                                 ", from which --resume --set stage1.lr=0.0005 goes on at half the "
                                 "learning rate\n"));
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    ck_assert_int_eq(metrics_last_step("r"), 6);
    free(bytes);
}
END_TEST

/* A run of 6 steps of which the next one moves a weight by some 1e8 times `moment`. */
static void prepare_leap(float moment)
{
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=6 "
             "--set stage1.lr=1");
    fill("r/stage1.h5", "/optimizer/first_moment/trunk/conv_in.weight", moment);
    fill("r/stage1.h5", "/optimizer/second_moment/trunk/conv_in.weight", 0.0f);
}

static const char leap[] = "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=20 "
                           "--set stage1.lr=1 --set checkpoint.every=1";

/* Adam is about to take a step of 1e38, which leaves the loss before it in order: that step is
 * made and saved, and the next one stops. */
START_TEST(the_last_good_checkpoint_is_the_newest)
{
    prepare_leap(1e30f);
    train_fails(1, "at step 8, training stops; the last good checkpoint is r/stage1.h5 (step 7)",
                leap);
    ck_assert_int_eq(checkpoint_attr("r/stage1.h5", "step"), 7);
}
END_TEST

/* What the line above advises. */
START_TEST(a_run_goes_on_with_another_learning_rate)
{
    static const char *const keys[] = {"stage1.lr=0.0005", "stage1.warmup=3",
                                       "stage1.grad_clip=0.5"};
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=6");
    for (int i = 0; i < 3; i++) {
        const int steps = 8 + 2 * i;
        char change[128] = "", said[160];
        for (int k = 0; k <= i; k++)
            snprintf(change + strlen(change), sizeof change - strlen(change), " --set %s", keys[k]);
        snprintf(said, sizeof said,
                 "continuing r/stage1.h5 at step %d, from here on with another %.*s\n", steps - 2,
                 (int)strcspn(keys[i], "="), keys[i]);
        train_fails(2,
                    "(--resume continues it with the new values from here on, --fresh starts again "
                    "and replaces it)",
                    "--stage 1 --config mixture.yaml --run r --set stage1.steps=%d%s", steps,
                    change);
        train(0, "--stage 1 --config mixture.yaml --run r --resume --set stage1.steps=%d%s", steps,
              change);
        ck_assert_msg(strstr(train_log(), said) != NULL, "no \"%s\" in: %s", said, train_log());
        /* From then on it is the run's own. */
        train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=%d%s", steps,
              change);
    }
    ck_assert_int_eq(checkpoint_attr("r/stage1.h5", "step"), 12);
    train_fails(2, "these keys differ: stage1.batch, stage1.lr (--fresh",
                "--stage 1 --config mixture.yaml --run r --resume --set stage1.steps=20 --set "
                "stage1.batch=5 --set "
                "stage1.warmup=3 --set stage1.grad_clip=0.5");
    train_trunk("mixture.yaml");
    train(0, "--stage 2 --loss sn --quiet --config mixture.yaml --run s --init trunk/stage1.h5 "
             "--set stage2.steps=3");
    train(0, "--stage 2 --loss sn --config mixture.yaml --run s --init trunk/stage1.h5 --set "
             "stage2.steps=4 --resume "
             "--set stage2.lr=1e-4");
    ck_assert_ptr_nonnull(strstr(train_log(), "at step 3, from here on with another stage2.lr\n"));
}
END_TEST

/* A step to where no float is: weights that no later run could read do not replace those that are there. */
START_TEST(weights_that_are_not_finite_are_not_saved)
{
    size_t size;
    prepare_leap(3e38f);
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    train_fails(1,
                "r/stage1.h5:/trunk/conv_in.weight: expected finite numbers to save, got -inf; "
                "the last good checkpoint is r/stage1.h5 (step 6)",
                leap);
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    free(bytes);
}
END_TEST

START_TEST(a_first_loss_that_is_no_number_leaves_no_checkpoint)
{
    write_files();
    train_trunk("mixture.yaml");
    fill("trunk/stage1.h5", "/trunk_ema/conv_in.weight", 3e38f);
    train_fails(1, "at step 1, training stops; no checkpoint had been saved yet",
                "--stage 2 --loss npr,sn --quiet --config mixture.yaml --run r "
                "--init trunk/stage1.h5");
    ck_assert_ptr_nonnull(strstr(train_log(), "stage2-npr+sn: the loss of npr is "));
    ck_assert_int_ne(access(scratch_path("r/stage2-npr+sn.h5"), F_OK), 0);
}
END_TEST

/* The loss, in double, still is a number; the gradient is not, or its square would not be. (Gradients that are
 * no numbers while the loss is sound: tests/test_loop.c.) */
START_TEST(a_loss_that_has_exploded_stops_the_run)
{
    static const float biases[] = {1e22f, 1e12f};
    write_files();
    train_trunk("mixture.yaml");
    for (int i = 0; i < 2; i++) {
        fill("trunk/stage1.h5", "/trunk_ema/conv_out.bias", biases[i]);
        train_fails(1,
                    "at step 1, it has exploded, training stops; no checkpoint had been saved yet",
                    "--stage 2 --loss npr --quiet --config mixture.yaml --run r "
                    "--init trunk/stage1.h5 --set stage2.steps=9");
        ck_assert_ptr_nonnull(strstr(train_log(), "stage2-npr: the loss of npr is "));
        ck_assert_int_ne(access(scratch_path("r/stage2-npr.h5"), F_OK), 0);
    }
}
END_TEST

/* -- The same, of heads that are solved for --------------------------------------------------- */

static const char exact[] = "--stage 2 --loss npr,sn --quiet --config mixture.yaml --run r --init "
                            "trunk/stage1.h5 --set stage2.solver=exact --set stage2.batch=16 "
                            "--set stage2.time_bins=2 --set checkpoint.every=100000";

/* The trunk gives nothing but numbers that are none: nothing is fitted, and nothing saved. */
START_TEST(nothing_is_solved_for_where_no_batch_is_sound)
{
    write_files();
    train_trunk("mixture.yaml");
    fill("trunk/stage1.h5", "/trunk_ema/conv_in.weight", 3e38f);
    train_fails(1, "stage2-npr+sn: the loss of npr is", "%s", exact);
    train_fails(1, "the last of 100 in succession that were skipped, training stops",
                "%s --set train.on_nonfinite=skip --set stage2.images=1000", exact);
    ck_assert_int_ne(access(scratch_path("r/stage2-npr+sn.h5"), F_OK), 0);
    train_fails(1, "no batch gave finite numbers only; nothing was fitted",
                "%s --set train.on_nonfinite=skip --set stage2.images=16 --set stage2.batch=1024",
                exact); /* 4 steps in all */
    ck_assert_int_ne(access(scratch_path("r/stage2-npr+sn.h5"), F_OK), 0);
}
END_TEST

/* What comes out of a convolution is just below the largest float: some batches overflow. They stay out of the sums,
 * and the run can be continued. */
START_TEST(batches_that_are_no_numbers_stay_out_of_the_sums)
{
    write_files();
    train_trunk("mixture.yaml");
    fill("trunk/stage1.h5", "/trunk_ema/conv_in.weight", 1.2e36f);
    train(0, "%s --set train.on_nonfinite=skip --set stage2.images=600", exact);
    const int64_t skipped = checkpoint_attr("r/stage2-npr+sn.h5", "skipped");
    const int64_t steps = checkpoint_attr("r/stage2-npr+sn.h5", "step");
    ck_assert_msg(skipped > 0 && skipped < steps, "%lld of %lld steps were skipped",
                  (long long)skipped, (long long)steps);
    train(0, "%s --set train.on_nonfinite=skip --set stage2.images=1200", exact);
    train_fails(1, "the loss of npr is nan at step", "%s --fresh", exact);
}
END_TEST

/* Numbers of images in a file are checked before they count anything. */
START_TEST(a_number_of_images_that_is_none_is_refused)
{
    static const float wrong[] = {1e30f, -64, 0.5f};
    write_files();
    train_trunk("mixture.yaml");
    for (int i = 0; i < 3; i++) {
        train(0, "%s --set stage2.images=100 --fresh", exact);
        fill("r/stage2-npr+sn.h5", "/fit/images", wrong[i]);
        train_fails(2, ":/fit/images: expected numbers of images that rise",
                    "%s --set stage2.images=200", exact);
    }
}
END_TEST

/* -- Full disks ------------------------------------------------------------------------------- */

/* Stopped by a signal, and unable to save what it has trained: that is a failure. */
START_TEST(a_stop_that_cannot_be_saved_is_a_failure)
{
    size_t size;
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=3");
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    train_largest_file = size / 2;
    pid_t child = train_start("--stage 1 --config mixture.yaml --run r "
                              "--set stage1.steps=100000000 --set checkpoint.every=100000000");
    while (access(scratch_path("log"), F_OK) != 0 || strstr(train_log(), "stage1: 0 %") == NULL)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* until its first step is done */
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(train_wait(child), 1);
    ck_assert_ptr_nonnull(strstr(train_log(), "train: r/stage1.h5: cannot be written: File too"));
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));

    train_largest_file = 0;
    train(0, "--stage 1 --config mixture.yaml --run r --set stage1.steps=5");
    ck_assert_ptr_nonnull(strstr(train_log(), "continuing r/stage1.h5 at step 3"));
    free(bytes);
}
END_TEST

/* -- Checkpoints that cannot be continued ----------------------------------------------------- */

static void set_attribute(const char *file, const char *name, int value)
{
    hid_t handle = H5Fopen(scratch_path(file), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attribute = H5Aopen_by_name(handle, "/", name, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    H5Fclose(handle);
}

/* Replaces a part of the configuration that a checkpoint has by another of the same length. */
static void patch(const char *file, const char *from, const char *to)
{
    hid_t handle = H5Fopen(scratch_path(file), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(handle, "/config", H5P_DEFAULT), type = H5Dget_type(data);
    size_t size = H5Tget_size(type);
    char *text = calloc(size + 1, 1);
    ck_assert(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    char *place = strstr(text, from);
    ck_assert_msg(place != NULL, "%s has no \"%s\"", file, from);
    memcpy(place, to, strlen(to));
    ck_assert(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    free(text);
    H5Tclose(type);
    H5Dclose(data);
    H5Fclose(handle);
}

static void copy(const char *from, const char *to)
{
    size_t size;
    char *bytes = scratch_read(scratch_path(from), &size);
    scratch_write(scratch_path(to), bytes, size);
    free(bytes);
}

/* The last checkpoint is refused, for either stage, and left as it is. */
static void assert_refused(const char *message, const char *more)
{
    size_t size;
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    train_fails(2, message,
                "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=9 %s", more);
    train_fails(2, message, "--stage 2 --loss sn --quiet --config mixture.yaml --run r %s", more);
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    ck_assert_int_ne(access(scratch_path("r/stage2-sn.h5"), F_OK), 0);
    free(bytes);
}

START_TEST(a_damaged_checkpoint_is_refused)
{
    size_t size;
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=3");
    copy("r/stage1.h5", "good.h5");

    set_attribute("r/stage1.h5", "version", 2);
    assert_refused("r/stage1.h5: is a checkpoint of format version 2", "");

    copy("good.h5", "r/stage1.h5");
    patch("r/stage1.h5", "channel_mult: [1, 2]\n", "channel_mult: [1, 3]\n");
    assert_refused("r/stage1.h5:/trunk", "--set model.channel_mult=[1,3]");

    copy("good.h5", "r/stage1.h5");
    patch("r/stage1.h5", "res_blocks: 1\n", "res_blocks: 2\n");
    assert_refused("is missing", "--set model.res_blocks=2");

    copy("good.h5", "r/stage1.h5");
    fill("r/stage1.h5", "/trunk/conv_in.bias", NAN);
    fill("r/stage1.h5", "/trunk_ema/conv_in.bias", INFINITY);
    assert_refused("conv_in.bias: expected finite numbers", "");

    char *bytes = scratch_read(scratch_path("good.h5"), &size);
    scratch_write(scratch_path("r/stage1.h5"), bytes, size / 2);
    assert_refused("r/stage1.h5: is a damaged or truncated HDF5 file", "");
    scratch_write(scratch_path("r/stage1.h5"), "garbage\n", 8);
    assert_refused("r/stage1.h5: is not an HDF5 file", "");
    scratch_write(scratch_path("r/stage1.h5"), "", 0);
    assert_refused("r/stage1.h5: is empty", "");
    free(bytes);
}
END_TEST

START_TEST(a_checkpoint_of_the_other_stage_is_refused)
{
    write_files();
    train_trunk("mixture.yaml");
    train(0, "--stage 2 --loss sn --quiet --config mixture.yaml --run trunk --set stage2.steps=2");
    copy("trunk/stage2-sn.h5", "trunk/stage1.h5");
    train_fails(2, "trunk/stage1.h5: a checkpoint of stage 2, expected one of stage 1",
                "--stage 1 --quiet --config mixture.yaml --run trunk --set stage1.steps=9");

    /* As a trunk it serves as well as the one that it carries. */
    train(0, "--stage 2 --loss npr --quiet --config mixture.yaml --run again "
             "--init trunk/stage2-sn.h5 --set stage2.steps=2");
    assert_same_object("trunk/stage2-sn.h5", "again/stage2-npr.h5", "/trunk_ema");
}
END_TEST

SUITE_MAIN("train_errors", a_loss_that_is_no_number_stops_the_run,
           the_last_good_checkpoint_is_the_newest, a_run_goes_on_with_another_learning_rate,
           weights_that_are_not_finite_are_not_saved,
           a_first_loss_that_is_no_number_leaves_no_checkpoint,
           a_loss_that_has_exploded_stops_the_run, nothing_is_solved_for_where_no_batch_is_sound,
           batches_that_are_no_numbers_stay_out_of_the_sums,
           a_number_of_images_that_is_none_is_refused, a_stop_that_cannot_be_saved_is_a_failure,
           a_damaged_checkpoint_is_refused, a_checkpoint_of_the_other_stage_is_refused)
