/* Tests of the training loop. Its stage computes next to nothing, and fails where a test tells it
 * to. The tests cover losses and gradients that are not finite, skipped steps, snapshots, and the
 * lock of a run directory. */
#include "base/clock.h"
#include "base/directory.h"
#include "base/group.h"
#include "base/group_way.h"
#include "base/memory.h"
#include "io/checkpoint.h"
#include "io/run_lock.h"
#include "train/loop.h"
#include "train/metrics.h"
#include "train/snapshots.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static Error error; /* of the last call */

enum { SIZE = 6, LAST = 20 };

/* Which steps, counted from 1, give what instead of a loss; ended by 0. */
typedef struct Faults {
    int steps[8];
    double loss;
    float gradient; /* 0: a sound one */
    bool all_later; /* every step from the first of them on */
} Faults;

static Faults faults;
static Config config;
static char run_directory[512], checkpoint_path_[600];

/* What is called before that step. */
static uint32_t probed_step;
static void (*probe)(void);

static bool is_faulty(int step)
{
    for (int i = 0; faults.steps[i] != 0; i++)
        if (step == faults.steps[i] || (faults.all_later && step > faults.steps[i]))
            return true;
    return false;
}

static bool evaluate(Stage *stage, uint32_t step, double *losses, Error *unused)
{
    (void)unused;
    OptimizerState *state = &stage->learners[0].state;
    const bool faulty = is_faulty((int)step + 1);
    if (step + 1 == probed_step)
        probe();
    losses[0] = faulty ? faults.loss : 1.0 + step;
    for (int i = 0; i < SIZE; i++)
        state->gradients[i] = state->weights[i] + 0.01f * (float)(step + (uint32_t)i);
    if (faulty && faults.gradient != 0.0f)
        state->gradients[3] = faults.gradient;
    return true;
}

static void release(Stage *stage)
{
    memory_free(stage);
}

static Stage *make_stage(int64_t steps)
{
    Stage *stage = memory_small(1, sizeof *stage);
    *stage = (Stage){.config = &config,
                     .number = 1,
                     .name = "stage1",
                     .run = run_directory,
                     .path = checkpoint_path_,
                     .steps = steps,
                     .length = "stage1.steps",
                     .batch = 1,
                     .smoothing = 0.1,
                     .settings = {.lr = 0.01, .ema = 0.9},
                     .learner_count = 1,
                     .evaluate = evaluate,
                     .release = release};
    Learner *learner = &stage->learners[0];
    *learner = (Learner){.target = "eps", .group = "trunk", .ema_group = "trunk_ema"};
    params_init(&learner->params);
    params_add(&learner->params, "w", 1, (int[]){SIZE}, PARAM_ONE, 0);
    assert_ok(learner_allocate(learner, 1, NULL, &error));
    return stage;
}

static void begin(const char *run, const char *overrides)
{
    snprintf(run_directory, sizeof run_directory, "%s", scratch_path(run));
    snprintf(checkpoint_path_, sizeof checkpoint_path_, "%s/stage1.h5", run_directory);
    assert_ok(config_parse(&config, overrides, "x", NULL, 0, &error));
}

static bool run_to(int64_t steps)
{
    Stage *stage = make_stage(steps);
    bool done = loop_run(stage, &(LoopOptions){.quiet = true}, &error);
    stage_free(stage);
    return done;
}

static bool exists(const char *name)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", run_directory, name);
    return access(path, F_OK) == 0;
}

static int64_t skipped_in(const char *path)
{
    Checkpoint *checkpoint;
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    int64_t skipped = checkpoint_attribute(checkpoint, "/", "skipped", 0);
    checkpoint_close(checkpoint);
    return skipped;
}

/* -- Numbers that are none -------------------------------------------------------------------- */

static const char stop_config[] = "checkpoint: {every: 3}\n";
static const char skip_config[] = "checkpoint: {every: 3}\ntrain: {on_nonfinite: skip}\n";

static void check_stops(Faults wrong, const char *message)
{
    faults = wrong;
    begin("stops", stop_config);
    error = (Error){0};
    ck_assert(!run_to(LAST));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    ck_assert_msg(strstr(error.message, "; the last good checkpoint is ") != NULL &&
                      strstr(error.message, "stops/stage1.h5 (step 6), from which --resume") !=
                          NULL,
                  "%s", error.message);
    ck_assert_msg(strstr(error.message, message) != NULL, "%s", error.message);
    scratch_remove_tree(run_directory);
}

START_TEST(a_run_stops_and_names_the_last_good_checkpoint)
{
    check_stops((Faults){.steps = {8}, .loss = NAN},
                "stage1: the loss of eps is nan at step 8, training "
                "stops");
    check_stops((Faults){.steps = {8}, .loss = INFINITY}, "the loss of eps is inf at step 8");
    check_stops((Faults){.steps = {8}, .loss = -INFINITY}, "the loss of eps is -inf at step 8");
    check_stops((Faults){.steps = {8}, .loss = 1, .gradient = NAN},
                "the norm of the gradient of eps is nan at step 8");
    check_stops((Faults){.steps = {8}, .loss = 1, .gradient = INFINITY},
                "the norm of the gradient of eps is inf at step 8");
    check_stops((Faults){.steps = {8}, .loss = 1e6},
                "the loss of eps is 1e+06 at step 8, it has exploded, training stops");
}
END_TEST

/* 28 x 28 images: a thousand times what predicting 0 gives is 784000. */
START_TEST(a_large_loss_is_no_explosion)
{
    faults = (Faults){.steps = {8}, .loss = 783999};
    begin("large", stop_config);
    ck_assert(run_to(LAST));
}
END_TEST

START_TEST(steps_are_left_out_and_counted)
{
    faults = (Faults){.steps = {2, 8, 9, 15}, .loss = NAN};
    begin("skips", skip_config);
    assert_ok(run_to(LAST));
    ck_assert_int_eq(skipped_in(checkpoint_path_), 4);

    /* A step that is left out changes no weight: an update more or less would show. */
    Stage *stage = make_stage(LAST);
    const OptimizerState *state = &stage->learners[0].state;
    float before[SIZE];
    double loss, norm;
    assert_ok(stage_step(stage, 0, &loss, &norm, &error));
    memcpy(before, state->weights, sizeof before);
    assert_ok(stage_step(stage, 1, &loss, &norm, &error));
    ck_assert_mem_eq(before, state->weights, sizeof before);
    ck_assert_int_eq(stage->skipped, 1);
    assert_ok(stage_step(stage, 2, &loss, &norm, &error));
    ck_assert(memcmp(before, state->weights, sizeof before) != 0);
    stage_free(stage);
}
END_TEST

/* The count is in the checkpoint: a run in parts is the whole run, byte for byte. */
START_TEST(a_run_that_skips_resumes_exactly)
{
    faults = (Faults){.steps = {2, 8, 9, 15}, .loss = 1, .gradient = NAN};
    begin("whole", skip_config);
    assert_ok(run_to(LAST));
    size_t size;
    char *bytes = scratch_read(checkpoint_path_, &size);
    for (int at = 1; at < LAST; at += 3) {
        char name[32];
        snprintf(name, sizeof name, "parts-%d", at);
        begin(name, skip_config);
        assert_ok(run_to(at));
        assert_ok(run_to(LAST));
        ck_assert_msg(scratch_same_bytes(checkpoint_path_, bytes, size), "stopped after step %d",
                      at);
    }
    free(bytes);
}
END_TEST

/* Weights that have gone wrong give no number ever again; the count goes on over a resume. */
START_TEST(steps_are_not_left_out_for_ever)
{
    faults = (Faults){.steps = {8}, .loss = NAN, .all_later = true};
    begin("forever", skip_config);
    assert_ok(run_to(60));
    error = (Error){0};
    ck_assert(!run_to(1000));
    ck_assert_msg(strstr(error.message,
                         "is nan at step 107, the last of 100 in succession that were skipped, "
                         "training stops; the last good checkpoint") != NULL,
                  "%s", error.message);
}
END_TEST

/* -- Snapshots -------------------------------------------------------------------------------- */

START_TEST(the_last_snapshots_stay)
{
    faults = (Faults){0};
    begin("keep", "checkpoint: {every: 3, keep: 2}\n");
    assert_ok(run_to(LAST));
    ck_assert(!exists("stage1-00000012.h5"));
    ck_assert(exists("stage1-00000015.h5") && exists("stage1-00000018.h5"));
    ck_assert(!exists("stage1-00000020.h5") && exists("stage1.h5"));
    ck_assert(!exists("lock"));

    /* Each is a whole checkpoint of its step. */
    char path[700];
    Checkpoint *checkpoint;
    snprintf(path, sizeof path, "%s/stage1-00000015.h5", run_directory);
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    ck_assert_int_eq(checkpoint_step(checkpoint), 15);
    checkpoint_close(checkpoint);

    /* And what a run that ended there would have left, but for what is kept. */
    begin("upto", "checkpoint: {every: 3, keep: 2}\n");
    assert_ok(run_to(15));
    size_t size;
    char *bytes = scratch_read(checkpoint_path_, &size);
    ck_assert(scratch_same_bytes(path, bytes, size));
    free(bytes);
}
END_TEST

/* Stands for a file system without second names. In the program, it goes before that of the C library. */
static bool no_links;

int link(const char *path, const char *name)
{
    return linkat(AT_FDCWD, path, AT_FDCWD, name, 0);
}

int linkat(int from, const char *path, int to, const char *name, int flags)
{
    if (no_links) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_linkat, from, path, to, name, flags);
}

START_TEST(snapshots_are_copies_where_there_are_no_links)
{
    faults = (Faults){0};
    begin("copies", "checkpoint: {every: 3, keep: 2}\n");
    no_links = true;
    assert_ok(run_to(12));
    no_links = false;
    ck_assert(!exists("stage1-00000006.h5") && exists("stage1-00000009.h5"));
    size_t size;
    char path[700];
    struct stat snapshot, newest;
    snprintf(path, sizeof path, "%s/stage1-00000012.h5", run_directory);
    char *bytes = scratch_read(checkpoint_path_, &size);
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert(stat(path, &snapshot) == 0 && stat(checkpoint_path_, &newest) == 0);
    ck_assert_uint_ne(snapshot.st_ino, newest.st_ino);
    free(bytes);
}
END_TEST

START_TEST(none_stay_unless_asked_for)
{
    faults = (Faults){0};
    begin("none", stop_config);
    assert_ok(run_to(LAST));
    ck_assert(exists("stage1.h5") && exists("metrics.csv"));
    ck_assert(!exists("stage1-00000015.h5") && !exists("stage1-00000018.h5"));
}
END_TEST

/* -- Metrics ---------------------------------------------------------------------------------- */

/* Rows of metrics.csv, without its header, and the step of the last of them. */
static int count_rows(int *last)
{
    char path[700], line[256];
    snprintf(path, sizeof path, "%s/metrics.csv", run_directory);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "there is no %s", path);
    ck_assert(fgets(line, sizeof line, file) != NULL);
    int count = 0;
    for (; fgets(line, sizeof line, file); count++)
        ck_assert_int_eq(sscanf(line, "stage1,eps,%d,", last), 1);
    fclose(file);
    return count;
}

enum { MANY = 60000, PROBED = 50000 };

static int64_t saved_step(void)
{
    Checkpoint *checkpoint;
    assert_ok(checkpoint_open(&checkpoint, checkpoint_path_, &error));
    const int64_t step = checkpoint_step(checkpoint);
    checkpoint_close(checkpoint);
    return step;
}

static void rows_are_there(void)
{
    int last = 0;
    ck_assert_int_gt(count_rows(&last), PROBED / 2);
    ck_assert(!exists("stage1.h5"));
}

static void rows_fit_the_checkpoint(void)
{
    int last = 0;
    ck_assert_int_gt(count_rows(&last), PROBED / 2);
    ck_assert_int_gt(saved_step(), LAST);
    ck_assert_int_ge(last, saved_step());
}

/* Between checkpoints that are far apart rows do not wait in memory: a crash leaves most of the loss curve. */
START_TEST(rows_do_not_wait_for_a_late_checkpoint)
{
    int last = 0;
    faults = (Faults){0};
    begin("rows", "checkpoint: {every: 1000000}\n");
    probed_step = PROBED;
    probe = rows_are_there;
    assert_ok(run_to(MANY));
    ck_assert_int_eq(count_rows(&last), MANY);
    ck_assert_int_eq(last, MANY);
    probed_step = 0;
}
END_TEST

/* The rows of a run that replaces another come with its first checkpoint, not before. */
START_TEST(rows_of_a_fresh_run_come_with_its_checkpoint)
{
    int last = 0;
    faults = (Faults){0};
    begin("fresh", "checkpoint: {every: 1000000}\n");
    assert_ok(run_to(LAST));
    probed_step = PROBED;
    probe = rows_fit_the_checkpoint;
    Stage *stage = make_stage(MANY);
    assert_ok(loop_run(stage, &(LoopOptions){.quiet = true, .fresh = true}, &error));
    stage_free(stage);
    ck_assert_int_eq(count_rows(&last), MANY);
    probed_step = 0;
}
END_TEST

static void put_a_pipe(void)
{
    char path[700];
    snprintf(path, sizeof path, "%s/metrics.csv", run_directory);
    ck_assert(unlink(path) == 0 || errno == ENOENT);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

/* The pipe comes in the place of metrics.csv before the step. */
static void check_pipe(const char *run, uint32_t step, const char *message)
{
    faults = (Faults){0};
    begin(run, "checkpoint: {every: 3}\n");
    probed_step = step;
    probe = put_a_pipe;
    assert_fails(run_to(LAST), message);
    ck_assert_ptr_nonnull(strstr(error.message, "stage1.h5 is saved"));
    probed_step = 0;
}

static void never(void *context, const char *target, double loss)
{
    (void)context;
    ck_abort_msg("%s: %g", target, loss);
}

START_TEST(a_named_pipe_in_the_place_of_the_rows_is_not_waited_for)
{
    check_pipe("before-the-first-rows", 2, "metrics.csv: is no regular file");
    check_pipe("before-more-rows", 5, "metrics.csv: is there and can't be read");
    assert_fails(run_to(LAST), "metrics.csv: is no regular file");
    Metrics *metrics = metrics_new(run_directory, "stage1", 3);
    metrics_earlier(metrics, never, NULL);
    metrics_free(metrics);
}
END_TEST

/* -- The lock --------------------------------------------------------------------------------- */

/* A process that takes the lock of the run and sleeps. */
static pid_t hold_lock(void)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        RunLock lock;
        bool taken = run_lock_take(&lock, run_directory, &error);
        byte = taken && lock.fd >= 0;
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    return child;
}

START_TEST(the_second_of_two_runs_is_refused)
{
    char holder[64];
    faults = (Faults){0};
    begin("locked", stop_config);
    assert_ok(run_to(3));
    pid_t child = hold_lock();
    snprintf(holder, sizeof holder, "process %ld is training in this directory", (long)child);
    assert_fails(run_to(LAST), holder);

    /* The kernel lets go of it, and the file that is left stops nobody. */
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(exists("lock"));
    assert_ok(run_to(LAST));
    ck_assert(!exists("lock"));
}
END_TEST

/* Neither a directory nor a link can be the lock: another run would not see it. */
START_TEST(a_lock_that_can_not_be_opened_stops_the_run)
{
    faults = (Faults){0};
    begin("blocked", stop_config);
    char *path = memory_format("%s/lock", run_directory);
    assert_ok(directory_make(run_directory, &error));
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_fails(run_to(3), "cannot be opened as the lock of a training");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(symlink("elsewhere", path), 0);
    assert_fails(run_to(3), "cannot be opened as the lock of a training");
    ck_assert_int_eq(unlink(path), 0);
    assert_ok(run_to(3));
    memory_free(path);
}
END_TEST

/* -- The phases of a step ---------------------------------------------------------------------- */

static const double computing = 0.04, waiting = 0.06;

static void sleep_for(double seconds)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * seconds)}, NULL);
}

static int waits;

static int slow_largest(int value)
{
    waits++;
    sleep_for(waiting);
    return value;
}

static void compute_and_wait(void)
{
    sleep_for(computing);
    group_barrier();
}

/* As where a backward pass waits for the sums of another process, or a batch of stage 2 does. */
START_TEST(waiting_inside_of_a_pass_is_no_computing)
{
    static GroupWay way;
    double loss, norm;
    begin("phases", "name: phases");
    way = group_serial;
    way.largest = slow_largest;
    group_use(&way);
    probed_step = 1;
    probe = compute_and_wait;
    Stage *stage = make_stage(1);
    const double first = clock_seconds();
    assert_ok(stage_step(stage, 0, &loss, &norm, &error));
    const double all = clock_seconds() - first;
    ck_assert_double_ge(stage->computing, computing);
    ck_assert_int_eq(waits, 3); /* in the pass, when the processes agree after it, and at the end */
    ck_assert_double_ge(stage->exchanging, waits * waiting);
    ck_assert_double_le(stage->computing + stage->exchanging, all);
    stage_free(stage);
}
END_TEST

SUITE_MAIN("loop", a_run_stops_and_names_the_last_good_checkpoint, a_large_loss_is_no_explosion,
           steps_are_left_out_and_counted, a_run_that_skips_resumes_exactly,
           steps_are_not_left_out_for_ever, the_last_snapshots_stay,
           snapshots_are_copies_where_there_are_no_links, none_stay_unless_asked_for,
           rows_do_not_wait_for_a_late_checkpoint, rows_of_a_fresh_run_come_with_its_checkpoint,
           a_named_pipe_in_the_place_of_the_rows_is_not_waited_for,
           the_second_of_two_runs_is_refused, a_lock_that_can_not_be_opened_stops_the_run,
           waiting_inside_of_a_pass_is_no_computing)
