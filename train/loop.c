/* The loop: continue, step, show, save.
 *
 * A run takes the lock of its directory, reads the checkpoint if there is one, and steps the stage.
 * Every checkpoint.every steps, at a signal and at the end it saves: first the rows of metrics.csv,
 * then the checkpoint, which takes its name in one instant. So a kill at any time leaves a
 * checkpoint and all rows up to it; rows beyond it are dropped when the run continues (metrics.c).
 *
 * Several processes step together (base/group.h). All of them read the checkpoint; the first one
 * has the lock, and alone writes. Its failure to write is the failure of all.
 */
#include "train/loop.h"

#include "base/clock.h"
#include "base/directory.h"
#include "base/fingerprint.h"
#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/standard_error.h"
#include "engine/profile.h"
#include "io/file_kind.h"
#include "io/run_lock.h"
#include "train/learner_file.h"
#include "train/metrics.h"
#include "train/snapshots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Attributes of the checkpoint of a run that has skipped steps (train.on_nonfinite). */
static const char skipped_name[] = "skipped", in_a_row_name[] = "skipped_in_a_row";

static bool write_skipped(const Stage *stage, CheckpointWriter *writer, Error *error)
{
    return stage->skipped == 0 ||
           (checkpoint_write_attribute(writer, "/", skipped_name, stage->skipped, error) &&
            checkpoint_write_attribute(writer, "/", in_a_row_name, stage->skipped_in_a_row, error));
}

static void read_skipped(Stage *stage, Checkpoint *checkpoint)
{
    stage->skipped = checkpoint_attribute(checkpoint, "/", skipped_name, 0);
    stage->skipped_in_a_row = checkpoint_attribute(checkpoint, "/", in_a_row_name, 0);
}

/* Attribute of a checkpoint: the fingerprint of its training images. Their path does not matter. */
static const char images_name[] = "images_fingerprint";

static bool write_images(const Stage *stage, CheckpointWriter *writer, Error *error)
{
    return stage->images_print == 0 ||
           checkpoint_write_attribute(writer, "/", images_name, (int64_t)stage->images_print,
                                      error);
}

/* Whether both the stage and the checkpoint know their images. */
static bool knows_images(const Stage *stage, Checkpoint *checkpoint)
{
    return stage->images_print != 0 && checkpoint_attribute(checkpoint, "/", images_name, 0) != 0;
}

static bool check_images(const Stage *stage, Checkpoint *checkpoint, Error *error)
{
    const uint64_t print = (uint64_t)checkpoint_attribute(checkpoint, "/", images_name, 0);
    return !knows_images(stage, checkpoint) || print == stage->images_print ||
           error_input(error,
                       "%s: was trained on other images than %s now holds; expected the same, "
                       "wherever they are (--fresh starts again and replaces it)",
                       stage->path, stage->images);
}

/* The configuration of the checkpoint. The path of its images is left out of the comparison where
 * fingerprints tell images apart. An early checkpoint has no fingerprint: then the path has to be
 * the same. */
static Config config_of(const Stage *stage, Checkpoint *checkpoint)
{
    Config config = *checkpoint_config(checkpoint);
    if (knows_images(stage, checkpoint)) {
        config.data.format = stage->config->data.format;
        memcpy(config.data.train, stage->config->data.train, sizeof config.data.train);
    }
    return config;
}

/* A checkpoint does not tell how processes shared the work: it is the same file however they did. */
static Config stored_config(const Stage *stage)
{
    Config config = *stage->config;
    config.stage1.shard = false;
    return config;
}

static bool save(Stage *stage, int64_t step, Error *error)
{
    CheckpointWriter *writer = NULL;
    const Config config = stored_config(stage);
    bool done = checkpoint_create(&writer, stage->path, &config, stage->number, step, error);
    for (int i = 0; done && i < stage->learner_count; i++)
        done = learner_write(&stage->learners[i], writer, error);
    if (done && stage->write_extra)
        done = stage->write_extra(stage, writer, error);
    done = done && write_skipped(stage, writer, error) && write_images(stage, writer, error);
    if (!done) {
        checkpoint_discard(writer);
        return false;
    }
    return checkpoint_commit(writer, error);
}

enum { KEYS_SIZE = 512 };

/* Whether the run of a checkpoint may go on with this configuration. With --resume, keys that steer
 * the optimiser may differ: `steered` [KEYS_SIZE] names those that do. */
static bool check_config(const Stage *stage, Checkpoint *checkpoint, bool resume, char *steered,
                         Error *error)
{
    const Config old = config_of(stage, checkpoint);
    const bool first = stage->number == 1;
    char keys[KEYS_SIZE], fixed[KEYS_SIZE];
    steered[0] = '\0';
    if (config_differences(&old, stage->config, first ? CONFIG_STAGE1 : CONFIG_STAGE2, keys,
                           KEYS_SIZE) == 0)
        return true;
    const bool steers = config_differences(&old, stage->config,
                                           first ? CONFIG_STAGE1_STEERED : CONFIG_STAGE2_STEERED,
                                           fixed, KEYS_SIZE) == 0;
    if (steers && resume) {
        memcpy(steered, keys, KEYS_SIZE);
        return true;
    }
    return error_input(error,
                       "%s: was trained with another configuration; these keys differ: %s "
                       "(%s--fresh starts again and replaces it)",
                       stage->path, keys,
                       steers ? "--resume continues it with the new values from here on, " : "");
}

static bool restore(Stage *stage, Checkpoint *checkpoint, bool resume, int64_t *step, char *steered,
                    Error *error)
{
    if (checkpoint_stage(checkpoint) != stage->number)
        return error_input(error, "%s: a checkpoint of stage %d, expected one of stage %d",
                           stage->path, checkpoint_stage(checkpoint), stage->number);
    if (checkpoint_attribute(checkpoint, "/", "imported", 0) == 1)
        return error_input(error,
                           "%s: was imported, and has no state of an optimizer to go on from "
                           "(--fresh starts again and replaces it)",
                           stage->path);
    if (!check_config(stage, checkpoint, resume, steered, error) ||
        !check_images(stage, checkpoint, error))
        return false;
    if (stage->read_extra && !stage->read_extra(stage, checkpoint, error))
        return false;
    for (int i = 0; i < stage->learner_count; i++)
        if (!learner_read(&stage->learners[i], checkpoint, error))
            return false;
    read_skipped(stage, checkpoint);
    *step = checkpoint_step(checkpoint);
    return true;
}

/* Continues from the checkpoint at stage->path, if there is one, unless --fresh was given. */
static bool resume(Stage *stage, const LoopOptions *options, int64_t *step, char *steered,
                   Error *error)
{
    *step = 0;
    steered[0] = '\0';
    if (options->fresh)
        return true;
    if (access(stage->path, F_OK) != 0)
        return !options->resume ||
               error_input(error, "%s: there is no such checkpoint to --resume", stage->path);
    Checkpoint *checkpoint = NULL;
    bool done = checkpoint_open(&checkpoint, stage->path, error) &&
                restore(stage, checkpoint, options->resume, step, steered, error);
    checkpoint_close(checkpoint);
    return done;
}

/* A run of the loop. */
typedef struct Loop {
    Stage *stage;
    RunLock *lock;
    Metrics *metrics;
    Progress progress;
    /* Updates done, and those in the checkpoint on disk; -1: there is no checkpoint yet. */
    int64_t step, saved;
    /* The losses, smoothed for the eye. */
    double shown[MAX_LEARNERS];
} Loop;

/* Adds the last good checkpoint to an error, and how to continue from it. */
static bool name_last_good(const Loop *loop, Error *error)
{
    const Stage *stage = loop->stage;
    if (loop->saved >= 0) {
        error_add(error, "; the last good checkpoint is %s (step %lld)", stage->path,
                  (long long)loop->saved);
        return !stage->exploded || stage->learners[0].state.gradients == NULL
                   ? false
                   : error_add(error,
                               ", from which --resume --set stage%d.lr=%.3g goes on at half the "
                               "learning rate",
                               stage->number, stage->settings.lr / 2);
    }
    return error_add(error, "; no checkpoint had been saved yet%s",
                     access(loop->stage->path, F_OK) == 0 ? ", and the old one is as it was" : "");
}

/* Moves the shown loss of learner `i` towards the newest loss. */
static void follow(Loop *loop, int i, double loss)
{
    const double blend = loop->shown[i] == 0.0 ? 1.0 : loop->stage->smoothing;
    if (isfinite(loss))
        loop->shown[i] += blend * (loss - loop->shown[i]);
}

static void follow_earlier(void *context, const char *target, double loss)
{
    Loop *loop = context;
    for (int i = 0; i < loop->stage->learner_count; i++)
        if (strcmp(loop->stage->learners[i].target, target) == 0)
            follow(loop, i, loss);
}

static bool step(Loop *loop, Error *error)
{
    Stage *stage = loop->stage;
    double losses[MAX_LEARNERS], norms[MAX_LEARNERS], begin = clock_seconds();
    const int64_t skipped = stage->skipped;
    if (!stage_step(stage, loop->step, losses, norms, error))
        return name_last_good(loop, error);
    loop->step++;
    if (stage->skipped > skipped)
        progress_note(&loop->progress, "%s: left out (%lld so far)", error->message,
                      (long long)stage->skipped);
    double speed = stage->batch / (clock_seconds() - begin);
    const MetricsPhases phases = metrics_phases(stage->computing, stage->exchanging);
    for (int i = 0; i < stage->learner_count; i++) {
        metrics_write(loop->metrics, stage->learners[i].target, loop->step, losses[i],
                      optimizer_learning_rate(&stage->settings, loop->step), norms[i], speed,
                      &phases);
        follow(loop, i, losses[i]);
    }
    return true;
}

static void show(Loop *loop)
{
    const Stage *stage = loop->stage;
    char text[PROGRESS_TEXT_SIZE] = ""; /* losses that don't fit are cut off */
    if (stage->learner_count == 1)
        snprintf(text, sizeof text, "loss %.2f", loop->shown[0]);
    for (int i = 0; stage->learner_count > 1 && i < stage->learner_count; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s %.2f", i > 0 ? "  " : "",
                 stage->learners[i].target, loop->shown[i]);
    }
    progress_update(&loop->progress, loop->step, "%s", text);
}

static bool keep_snapshot(const Stage *stage, int64_t step, Error *error)
{
    return snapshots_keep(stage->path, step, stage->config->checkpoint.every,
                          stage->config->checkpoint.keep, error);
}

/* The files: the rows of metrics, the checkpoint, its snapshot. */
static bool write_files(Loop *loop, Error *error)
{
    Stage *stage = loop->stage;
    Error log = {0};
    if (!run_lock_keep(loop->lock, stage->run, error))
        return false;
    /* If a file of another kind has taken the name metrics.csv, that file stays, and the weights
     * are saved all the same. */
    const bool logged = metrics_flush(loop->metrics, &log);
    if (!logged && log.kind != ERROR_INPUT) {
        *error = log;
        return false;
    }
    if (!save(stage, loop->step, error))
        return name_last_good(loop, error);
    loop->saved = loop->step;
    if (!keep_snapshot(stage, loop->step, error))
        return false;
    if (logged)
        return true;
    *error = log;
    return error_add(error, "; %s is saved (step %lld)", stage->path, (long long)loop->step);
}

/* write_files by the first process, for all. The others give it their slices meanwhile. */
static bool write_for_all(Loop *loop, Error *error)
{
    bool done = true;
    if (group_is_first()) {
        const bool before = group_alone(true);
        done = write_files(loop, error);
        group_alone(before);
    }
    learners_bring_rest(loop->stage);
    if (!group_agree(done, error))
        return false;
    loop->saved = loop->step;
    return true;
}

/* Every process continues with the state that was saved. Processors of several kinds may round
 * differently, and their copies of the weights would drift apart. (Slices have no copies.) */
static void share_state(const Stage *stage)
{
    for (int i = 0; i < stage->learner_count; i++) {
        if (stage->learners[i].shard)
            continue;
        const OptimizerState *state = &stage->learners[i].state;
        const size_t bytes = state->size * sizeof(float);
        float *const arrays[] = {state->weights, state->ema, state->first_moment,
                                 state->second_moment};
        for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++)
            if (arrays[k])
                group_broadcast(arrays[k], bytes);
    }
}

static bool save_now(Loop *loop, Error *error)
{
    Stage *stage = loop->stage;
    const bool ready = !stage->before_save || stage->before_save(stage, loop->step, error);
    if (!group_agree(ready, error) || !write_for_all(loop, error))
        return false;
    share_state(stage);
    return true;
}

/* Writes the rows of metrics if there are too many to wait for the next checkpoint. A run that
 * replaces another (--fresh) saves its first checkpoint with them, so that the rows never belong to
 * another run than the checkpoint beside them. */
static bool relieve(Loop *loop, Error *error)
{
    const Stage *stage = loop->stage;
    const bool are_many = group_is_first() && metrics_are_many(loop->metrics);
    if (!group_any(are_many))
        return true;
    if (group_any(group_is_first() && loop->saved < 0 && access(stage->path, F_OK) == 0))
        return save_now(loop, error);
    const bool held = !group_is_first() || run_lock_keep(loop->lock, stage->run, error);
    if (!group_agree(held, error))
        return false;
    if (group_is_first())
        metrics_relieve(loop->metrics);
    return true;
}

/* Whether any process has received a signal. */
static bool stop_requested(void)
{
    group_notice();
    return interrupt_requested() != 0;
}

/* Steps until the last step or a signal, and saves every checkpoint.every steps and in the end. */
static bool run(Loop *loop, Error *error)
{
    Stage *stage = loop->stage;
    const int64_t every = stage->config->checkpoint.every;
    while (loop->step < stage->steps && !stop_requested()) {
        if (!step(loop, error) || !relieve(loop, error))
            return false;
        show(loop);
        if (loop->step % every == 0 && loop->step < stage->steps && !save_now(loop, error))
            return false;
    }
    /* Before the first step there is nothing to save, and --fresh would replace a checkpoint by
     * nothing. */
    return loop->step == 0 || loop->saved == loop->step || save_now(loop, error);
}

static void say_complete(const Stage *stage, int64_t step)
{
    char *longer =
        stage->length ? memory_format("a larger %s continues it, ", stage->length) : NULL;
    standard_error_say("%s is complete (step %lld of %lld); %s--fresh starts again\n", stage->path,
                       (long long)step, (long long)stage->steps, longer ? longer : "");
    memory_free(longer);
}

/* The directory, its lock and its files, before the first step: finds out now, and not after a
 * thousand steps, whether they can be written. By the first process. */
static bool prepare_files(const Loop *loop, Error *error)
{
    const Stage *stage = loop->stage;
    RunLock *lock = loop->lock;
    const bool before = group_alone(true);
    const bool done = directory_make(stage->run, error) &&
                      (lock->fd >= 0 || run_lock_retake(lock, stage->run, error)) &&
                      atomic_file_possible(stage->path, file_kind_rule(FILE_CHECKPOINT), error) &&
                      metrics_possible(loop->metrics, error);
    group_alone(before);
    return done;
}

/* Whether all processes have read the same checkpoint. They may see different files, if the run
 * directory is not on a disk that all share. */
static bool same_step(const Stage *stage, int64_t step, Error *error)
{
    int64_t first = step;
    group_broadcast(&first, sizeof first);
    return group_agree(
        first == step || error_input(error,
                                     "%s: process %d finds step %lld there, and process 0 step "
                                     "%lld; expected a directory that all processes share",
                                     stage->path, group_rank(), (long long)step, (long long)first),
        error);
}

static uint64_t weights_print(const Stage *stage)
{
    uint64_t print = FINGERPRINT_START;
    for (int i = 0; i < stage->learner_count; i++) {
        const OptimizerState *state = &stage->learners[i].state;
        print = fingerprint(print, state->weights, state->size * sizeof *state->weights);
    }
    return print;
}

/* Whether all processes have the images, the beginning, and the weights that the first has. */
static bool same_start(const Stage *stage, Error *error)
{
    return group_size() == 1 ||
           (group_check_same(stage->images_print, stage->images ? stage->images : "images",
                             error) &&
            group_check_same(stage->beginning_print,
                             stage->beginning ? stage->beginning : "the beginning", error) &&
            group_check_same(weights_print(stage), stage->path, error));
}

static bool resume_together(Loop *loop, const LoopOptions *options, char *steered, Error *error)
{
    Stage *stage = loop->stage;
    const bool done = resume(stage, options, &loop->step, steered, error);
    if (!group_agree(done, error) || !same_step(stage, loop->step, error) ||
        !same_start(stage, error))
        return false;
    if (loop->step > 0) {
        loop->saved = loop->step;
        /* In case that a kill came between checkpoint and snapshot. */
        if (group_is_first())
            (void)keep_snapshot(stage, loop->step, &(Error){0});
    }
    return true;
}

static bool run_locked(Stage *stage, const LoopOptions *options, RunLock *lock, Error *error)
{
    char steered[KEYS_SIZE];
    Loop loop = {.stage = stage, .lock = lock, .saved = -1};
    if (!resume_together(&loop, options, steered, error))
        return false;
    if (loop.step >= stage->steps) {
        if (!options->quiet)
            say_complete(stage, loop.step);
        return true;
    }
    loop.metrics = metrics_new(stage->run, stage->name, loop.step);
    if (!group_agree(!group_is_first() || prepare_files(&loop, error), error)) {
        metrics_free(loop.metrics);
        return false;
    }
    metrics_earlier(loop.metrics, follow_earlier, &loop);
    progress_start(&loop.progress, stage->name, loop.step, stage->steps, stage->batch, "images/s",
                   options->quiet);
    if (options->computes)
        progress_note(&loop.progress, "%s computes in %s", stage->name, options->computes);
    if (options->recipe)
        progress_note(&loop.progress, "takes the recipe from %s", options->recipe);
    if (loop.step > 0)
        progress_note(&loop.progress, "continuing %s at step %lld%s%s", stage->path,
                      (long long)loop.step, steered[0] ? ", from here on with another " : "",
                      steered);
    if (stage->note)
        progress_note(&loop.progress, "%s", stage->note);
    const int64_t first = loop.step;
    const double begin = clock_seconds();
    if (options->profile)
        profile_start();
    bool done = run(&loop, error);
    profile_stop();
    progress_finish(&loop.progress);
    if (options->profile && loop.step > first)
        profile_print(stdout, (int)(loop.step - first), clock_seconds() - begin, NULL);
    /* The rows up to the failure explain it. They are written if the run still holds its lock. */
    if (!done && group_is_first() && loop.saved >= 0 &&
        run_lock_keep(lock, stage->run, &(Error){0}))
        metrics_flush(loop.metrics, &(Error){0});
    metrics_free(loop.metrics);
    if (done && loop.step > 0 && !options->quiet)
        standard_error_say("saved %s (step %lld of %lld)\n", stage->path, (long long)loop.step,
                           (long long)stage->steps);
    if (done && loop.step == stage->steps && !options->quiet && stage->report)
        stage->report(stage);
    return done;
}

bool loop_run(Stage *stage, const LoopOptions *options, Error *error)
{
    RunLock lock = {.fd = -1};
    const bool held = !group_is_first() || run_lock_take(&lock, stage->run, error);
    const bool done = group_agree(held, error) && run_locked(stage, options, &lock, error);
    run_lock_release(&lock);
    return done;
}
