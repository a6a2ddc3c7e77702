/* The loop of training, around a stage that computes next to nothing and goes wrong when it is told to:
 * numbers that are none, steps left out, snapshots, the lock of a run directory. */
#include "base/memory.h"
#include "io/checkpoint.h"
#include "io/run_lock.h"
#include "train/loop.h"
#include "train/snapshots.h"

#include "expect.h"
#include "scratch.h"
#include "suite.h"

#include <math.h>
#include <signal.h>
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
    assert_ok(learner_allocate(learner, 1, &error));
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
    ck_assert_str_eq(error.message + strlen(error.message) - strlen("stops/stage1.h5 (step 6)"),
                     "stops/stage1.h5 (step 6)");
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

START_TEST(none_stay_unless_asked_for)
{
    faults = (Faults){0};
    begin("none", stop_config);
    assert_ok(run_to(LAST));
    ck_assert(exists("stage1.h5") && exists("metrics.csv"));
    ck_assert(!exists("stage1-00000015.h5") && !exists("stage1-00000018.h5"));
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

SUITE_MAIN("loop", a_run_stops_and_names_the_last_good_checkpoint, a_large_loss_is_no_explosion,
           steps_are_left_out_and_counted, a_run_that_skips_resumes_exactly,
           steps_are_not_left_out_for_ever, the_last_snapshots_stay, none_stay_unless_asked_for,
           the_second_of_two_runs_is_refused)
