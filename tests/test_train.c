/* Tests of training runs. A run that is stopped or killed and then continued ends in the same bits
 * as an uninterrupted one. A frozen trunk stays frozen. (Which configurations continue a run, and
 * which are refused: tests/cli/train_continue.sh.) */
#include "tests/train_program.h"

#include <sys/stat.h>
#include <time.h>

/* -- Stopped, killed and continued ------------------------------------------------------------ */

/* One kind of training: its arguments but for the run directory, what it saves, and the key that says how
 * long it takes, in how many units to a step. */
typedef struct Kind {
    const char *arguments, *file, *length;
    int unit;
} Kind;

static void run_to(const Kind *kind, const char *run, int64_t steps)
{
    train(0, "%s --quiet --run %s --set %s=%lld", kind->arguments, run, kind->length,
          (long long)steps * kind->unit);
}

/* The inode of a run's checkpoint, which every save changes; 0 where there is none. */
static ino_t checkpoint_inode(const Kind *kind, const char *run)
{
    char name[256];
    struct stat status;
    snprintf(name, sizeof name, "%s/%s", run, kind->file);
    return stat(scratch_path(name), &status) == 0 ? status.st_ino : 0;
}

static void nap(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000 * microseconds}, NULL);
}

/* Starts a run that would take hours, and hits it once it has saved, at an instant that is nobody's
 * choice. Returns how it ended. */
static int hit(const Kind *kind, const char *run, int signal, long delay)
{
    char arguments[512];
    snprintf(arguments, sizeof arguments, "%s --quiet --run %s --set %s=100000000", kind->arguments,
             run, kind->length);
    ino_t before = checkpoint_inode(kind, run);
    pid_t child = train_start(arguments);
    int status;
    while (checkpoint_inode(kind, run) == before) {
        ck_assert_msg(waitpid(child, &status, WNOHANG) == 0, "train %s: has ended: %s", arguments,
                      train_log());
        nap(500);
    }
    nap(delay);
    ck_assert_int_eq(kill(child, signal), 0);
    return train_wait(child);
}

static int64_t saved_step(const Kind *kind, const char *run)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s", run, kind->file);
    return checkpoint_attr(name, "step");
}

/* A signal ends the run with that exit status, and nothing that was done is lost. */
static void stop(const Kind *kind, const char *run, int signal, int expected)
{
    ck_assert_int_eq(hit(kind, run, signal, 0), expected);
    ck_assert_str_eq(train_log(), "");
    ck_assert_int_gt(saved_step(kind, run), 0);
    ck_assert_int_eq(saved_step(kind, run), metrics_last_step(run));
}

/* The run directories hold the same files, temporaries too, with the same in them. */
static void assert_same_runs(const Kind *kind, const char *run, const char *run_b)
{
    char name[256], name_b[256];
    snprintf(name, sizeof name, "%s/%s", run, kind->file);
    snprintf(name_b, sizeof name_b, "%s/%s", run_b, kind->file);
    assert_same_checkpoint(name, name_b);
    assert_same_metrics(run, run_b);

    int entries = 0;
    DIR *directory = opendir(scratch_path(run_b));
    while (readdir(directory) != NULL)
        entries++;
    closedir(directory);
    ck_assert_msg(entries == 4, "%s: %d files, expected a checkpoint and metrics.csv", run_b,
                  entries - 2);
}

/* An uninterrupted run, and runs in parts: all end in the same numbers. */
static void check_resume(const Kind *kind)
{
    run_to(kind, "whole", 12);
    run_to(kind, "parts", 5);
    run_to(kind, "parts", 12);
    assert_same_runs(kind, "whole", "parts");

    stop(kind, "hurt", SIGINT, 130);
    stop(kind, "hurt", SIGTERM, 143);
    for (long delay = 0; delay < 6000; delay += 2500)
        ck_assert_int_eq(hit(kind, "hurt", SIGKILL, delay), -SIGKILL);
    int64_t steps = saved_step(kind, "hurt") + 4;
    run_to(kind, "hurt", steps);
    run_to(kind, "unhurt", steps);
    assert_same_runs(kind, "unhurt", "hurt");
}

START_TEST(stage1_resumes_exactly_on_the_mixture)
{
    write_files();
    check_resume(&(Kind){"--stage 1 --config mixture.yaml", "stage1.h5", "stage1.steps", 1});
}
END_TEST

START_TEST(stage1_resumes_exactly_with_dropout_and_flips)
{
    write_files();
    check_resume(&(Kind){"--stage 1 --config pictures.yaml", "stage1.h5", "stage1.steps", 1});
}
END_TEST

START_TEST(two_threads_resume_exactly)
{
    write_files();
    train_threads = "2";
    check_resume(&(Kind){"--stage 1 --config pictures.yaml", "stage1.h5", "stage1.steps", 1});
}
END_TEST

START_TEST(stage2_resumes_exactly_on_the_mixture)
{
    write_files();
    train_trunk("mixture.yaml");
    check_resume(&(Kind){"--stage 2 --loss npr,sn --config mixture.yaml --init trunk/stage1.h5",
                         "stage2-npr+sn.h5", "stage2.steps", 1});
}
END_TEST

START_TEST(stage2_resumes_exactly_with_dropout_and_flips)
{
    write_files();
    train_trunk("pictures.yaml");
    check_resume(&(Kind){"--stage 2 --loss sn,npr --config pictures.yaml --init trunk/stage1.h5",
                         "stage2-npr+sn.h5", "stage2.steps", 1});
}
END_TEST

START_TEST(one_head_resumes_exactly)
{
    write_files();
    train_trunk("pictures.yaml");
    check_resume(&(Kind){"--stage 2 --loss npr --config pictures.yaml --init trunk/stage1.h5",
                         "stage2-npr.h5", "stage2.steps", 1});
}
END_TEST

/* A step is a batch of four images, and the length is rounded up to rounds of three bins. */
START_TEST(solving_resumes_exactly)
{
    write_files();
    train_trunk("mixture.yaml");
    check_resume(&(Kind){"--stage 2 --loss npr,sn --config mixture.yaml --init trunk/stage1.h5 "
                         "--set stage2.solver=exact --set stage2.time_bins=3",
                         "stage2-npr+sn.h5", "stage2.images", 12});
}
END_TEST

/* -- The images that a run was begun on ------------------------------------------------------- */

/* Writes `images.gz` anew: as HDF5 `images.h5`, with the first pixel of the last image another if `changed`. */
static void write_images_as_hdf5(const char *name, bool changed)
{
    unsigned char header[16], pixels[10 * 64];
    gzFile idx = gzopen(scratch_path("images.gz"), "rb");
    ck_assert_int_eq(gzread(idx, header, sizeof header), sizeof header);
    ck_assert_int_eq(gzread(idx, pixels, sizeof pixels), sizeof pixels);
    gzclose(idx);
    pixels[9 * 64] ^= changed;
    hid_t file = H5Fcreate(scratch_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(4, (hsize_t[]){10, 8, 8, 1}, NULL);
    hid_t data =
        H5Dcreate2(file, "images", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Fclose(file);
}

static void assert_same_weights(const char *file)
{
    char a[64], b[64];
    snprintf(a, sizeof a, "whole/%s", file);
    snprintf(b, sizeof b, "moved/%s", file);
    const char *const groups[] = {"/optimizer", "stage1.h5", "/trunk", "stage2-sn.h5", "/heads"};
    for (int i = 0; i < 5; i += 2)
        if (i == 0 || strcmp(groups[i - 1], file) == 0)
            assert_same_object(a, b, groups[i]);
    assert_same_metrics("whole", "moved");
}

/* Images that were moved, and even stored in another format, continue a run, which ends in the numbers of one that
 * was never stopped. Others at the same place do not. */
static void check_moved(const char *arguments, const char *file, const char *length)
{
    size_t size;
    char name[64];
    snprintf(name, sizeof name, "moved/%s", file);
    train(0, "%s --quiet --run whole --set %s=9", arguments, length);
    train(0, "%s --quiet --run moved --set %s=3", arguments, length);
    ck_assert_int_eq(rename(scratch_path("images.gz"), scratch_path("elsewhere.gz")), 0);
    train(0, "%s --quiet --run moved --set %s=6 --set data.train=elsewhere.gz", arguments, length);
    ck_assert_int_eq(rename(scratch_path("elsewhere.gz"), scratch_path("images.gz")), 0);
    write_images_as_hdf5("same.h5", false);
    train(0, "%s --quiet --run moved --set %s=9 --set data.format=hdf5 --set data.train=same.h5",
          arguments, length);
    assert_same_weights(file);

    char *bytes = scratch_read(scratch_path(name), &size);
    write_images_as_hdf5("same.h5", true);
    train_fails(
        2, "was trained on other images than same.h5 now holds",
        "%s --quiet --run moved --set %s=12 --set data.format=hdf5 --set data.train=same.h5",
        arguments, length);
    ck_assert(scratch_same_bytes(scratch_path(name), bytes, size));
    free(bytes);
}

START_TEST(moved_images_continue_stage1)
{
    write_files();
    check_moved("--stage 1 --config pictures.yaml", "stage1.h5", "stage1.steps");
}
END_TEST

START_TEST(moved_images_continue_stage2)
{
    write_files();
    train_trunk("pictures.yaml");
    check_moved("--stage 2 --loss sn --config pictures.yaml --init trunk/stage1.h5", "stage2-sn.h5",
                "stage2.steps");
}
END_TEST

/* A checkpoint that does not say on which images, from an earlier version, is continued from the same place only. */
START_TEST(images_of_an_old_checkpoint_stay_where_they_are)
{
    static const char arguments[] = "--stage 1 --quiet --config pictures.yaml --run r";
    write_files();
    train(0, "%s --set stage1.steps=3", arguments);
    hid_t file = H5Fopen(scratch_path("r/stage1.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(H5Adelete(file, "images_fingerprint") >= 0);
    H5Fclose(file);
    write_images_as_hdf5("same.h5", false);
    train_fails(2, "these keys differ: data.format, data.train",
                "%s --set stage1.steps=6 --set data.format=hdf5 --set data.train=same.h5",
                arguments);
    train(0, "%s --set stage1.steps=6", arguments);
    ck_assert_int_ne(checkpoint_attr("r/stage1.h5", "images_fingerprint"), 0);
    train(0, "%s --set stage1.steps=9 --set data.format=hdf5 --set data.train=same.h5", arguments);
}
END_TEST

/* -- Signals ---------------------------------------------------------------------------------- */

/* A run that waits for its configuration, which comes through a pipe, and so has not begun. */
static pid_t start_waiting(const char *arguments, FILE **pipe)
{
    ck_assert_int_eq(mkfifo(scratch_path("pipe.yaml"), 0600), 0);
    pid_t child = train_start(arguments);
    *pipe = fopen(scratch_path("pipe.yaml"), "w");
    ck_assert_ptr_nonnull(*pipe);
    return child;
}

/* Who typed --fresh by mistake, and says so before anything was trained, has lost nothing. */
START_TEST(nothing_is_saved_before_the_first_step)
{
    size_t size;
    FILE *pipe;
    write_files();
    train(0, "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=3");
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    char *metrics = metrics_text("r");

    pid_t child = start_waiting("--stage 1 --config pipe.yaml --run r --fresh", &pipe);
    ck_assert_int_eq(kill(child, SIGINT), 0);
    signal(SIGPIPE, SIG_IGN); /* it may have ended already */
    fputs(mixture_config, pipe);
    fclose(pipe);
    ck_assert_int_eq(train_wait(child), 130);
    ck_assert_msg(strstr(train_log(), "saved") == NULL, "%s", train_log());
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    char *metrics_after = metrics_text("r");
    ck_assert_str_eq(metrics, metrics_after);
    free(bytes);
    free(metrics);
    free(metrics_after);
}
END_TEST

/* Whoever asks twice does not want to wait: nothing more is saved. Both signals are there before the run
 * goes on, which takes them one after the other, in an order that the system chooses. */
START_TEST(a_second_signal_ends_the_run_at_once)
{
    static const char arguments[] =
        "--stage 1 --quiet --config mixture.yaml --run r --set stage1.steps=100000000";
    size_t size;
    int status;
    write_files();
    pid_t child = train_start(arguments);
    while (access(scratch_path("r/stage1.h5"), F_OK) != 0) {
        ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
        nap(500);
    }
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    ck_assert_int_eq(kill(child, SIGINT), 0);
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    status = train_wait(child);
    ck_assert_msg(status == 130 || status == 143, "exit status %d: %s", status, train_log());
    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    free(bytes);
}
END_TEST

/* -- Frozen means frozen ---------------------------------------------------------------------- */

/* Everything that belongs to a head is the same in both files. */
static void assert_same_head(const char *a, const char *b, const char *head)
{
    static const char *const groups[] = {"heads", "heads_ema", "optimizer/first_moment/heads",
                                         "optimizer/second_moment/heads"};
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "/%s/%s", groups[i], head);
        assert_same_object(a, b, path);
    }
}

/* The rows of `target` in `run`, from the step on: "1,784.5,...". Released with free(). */
static char *rows_of(const char *run, const char *name, const char *target)
{
    char start[64], *text = metrics_text(run), *rows = calloc(strlen(text) + 1, 1);
    snprintf(start, sizeof start, "%s,%s,", name, target);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, start, strlen(start)) == 0)
            strcat(strcat(rows, line + strlen(start)), "\n");
    free(text);
    ck_assert_msg(rows[0] != '\0', "%s/metrics.csv has no rows %s", run, start);
    return rows;
}

static void assert_same_rows(const char *run, const char *name, const char *name_b,
                             const char *target)
{
    char *rows = rows_of(run, name, target), *rows_b = rows_of(run, name_b, target);
    ck_assert_str_eq(rows, rows_b);
    free(rows);
    free(rows_b);
}

/* Whether an array of the trunk has other numbers in another group: what is frozen and what it
 * could be mistaken for are different, or the tests below would show nothing. */
static bool trunk_differs(const char *file, const char *group, const char *file_b,
                          const char *group_b)
{
    char path[128], path_b[128];
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    snprintf(path, sizeof path, "/%s/conv_in.weight", group);
    snprintf(path_b, sizeof path_b, "/%s/conv_in.weight", group_b);
    float *values = golden_floats(scratch_path(file), path, &rank, dims);
    float *values_b = golden_floats(scratch_path(file_b), path_b, NULL, NULL);
    bool differ = memcmp(values, values_b, golden_count(rank, dims) * sizeof(float)) != 0;
    free(values);
    free(values_b);
    return differ;
}

/* No gradient reaches the trunk, through eps_hat or otherwise: it is the same after training, and
 * a head's training does not notice whether another one trains beside it. */
static void check_frozen(const char *config)
{
    size_t size;
    struct stat before, after;
    write_files();
    train(0, "--stage 1 --quiet --config %s --run r --set stage1.steps=8", config);
    ck_assert(trunk_differs("r/stage1.h5", "trunk", "r/stage1.h5", "trunk_ema"));
    char *bytes = scratch_read(scratch_path("r/stage1.h5"), &size);
    ck_assert_int_eq(stat(scratch_path("r/stage1.h5"), &before), 0);

    static const char *const losses[] = {"npr", "sn", "npr,sn"};
    static const char *const files[] = {"r/stage2-npr.h5", "r/stage2-sn.h5", "r/stage2-npr+sn.h5"};
    for (int i = 0; i < 3; i++) {
        train(0, "--stage 2 --loss %s --quiet --config %s --run r --set stage2.steps=7", losses[i],
              config);
        assert_same_object("r/stage1.h5", files[i], "/trunk_ema");
    }
    assert_same_head("r/stage2-npr.h5", "r/stage2-npr+sn.h5", "npr");
    assert_same_head("r/stage2-sn.h5", "r/stage2-npr+sn.h5", "sn");
    assert_same_rows("r", "stage2-npr", "stage2-npr+sn", "npr");
    assert_same_rows("r", "stage2-sn", "stage2-npr+sn", "sn");

    ck_assert(scratch_same_bytes(scratch_path("r/stage1.h5"), bytes, size));
    ck_assert_int_eq(stat(scratch_path("r/stage1.h5"), &after), 0);
    ck_assert_int_eq(before.st_ino, after.st_ino);
    free(bytes);
}

START_TEST(trunk_is_frozen_on_the_mixture)
{
    check_frozen("mixture.yaml");
}
END_TEST

START_TEST(trunk_is_frozen_with_dropout_and_flips)
{
    check_frozen("pictures.yaml");
}
END_TEST

/* The frozen trunk runs without dropout, whatever rate its network was trained with; unless the
 * published code's behaviour is wanted. */
START_TEST(frozen_trunk_is_in_evaluation_mode)
{
    static const char common[] = "--stage 2 --loss npr --quiet --config pictures.yaml "
                                 "--init trunk/stage1.h5 --set head.type=simple "
                                 "--set stage2.steps=4";
    write_files();
    train_trunk("pictures.yaml");
    train(0, "%s --run with --set stage2.trunk_dropout=false", common);
    train(0, "%s --run without --set stage2.trunk_dropout=false --set model.dropout=0", common);
    assert_same_metrics("with", "without");
    assert_same_object("with/stage2-npr.h5", "without/stage2-npr.h5", "/heads/npr");

    train(0, "%s --run published", common);
    char *with = metrics_text("with"), *published = metrics_text("published");
    ck_assert_str_ne(with, published);
    free(with);
    free(published);
}
END_TEST

SUITE_MAIN("train", two_threads_resume_exactly, stage1_resumes_exactly_on_the_mixture,
           stage1_resumes_exactly_with_dropout_and_flips, stage2_resumes_exactly_on_the_mixture,
           stage2_resumes_exactly_with_dropout_and_flips, one_head_resumes_exactly,
           solving_resumes_exactly, moved_images_continue_stage1, moved_images_continue_stage2,
           images_of_an_old_checkpoint_stay_where_they_are, nothing_is_saved_before_the_first_step,
           a_second_signal_ends_the_run_at_once, trunk_is_frozen_on_the_mixture,
           trunk_is_frozen_with_dropout_and_flips, frozen_trunk_is_in_evaluation_mode)
