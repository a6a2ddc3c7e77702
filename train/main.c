/* train: the command line of the two training stages.
 *
 * The options become a Config, a run directory and, for stage 2, a task. A stage is made of them,
 * and the loop runs it. All input is checked before the first file is written.
 */
#include "base/group.h"
#include "base/group_mpi.h"
#include "base/idle_threads.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/options.h"
#include "base/program.h"
#include "base/standard_error.h"
#include "base/version.h"
#include "data/cache_place.h"
#include "hdf5/hdf5_trial.h"
#include "model/precision.h"
#include "train/help.h"
#include "train/loop.h"
#include "train/settings.h"
#include "train/stages.h"
#include "variance/objective_list.h"

#include <omp.h>
#include <stdio.h>
#include <unistd.h>

static bool parse_losses(const char *text, Stage2Task *task, Error *error)
{
    if (text)
        return objective_list_read(objective_table, OBJECTIVE_COUNT, text, task->losses,
                                   MAX_LEARNERS, &task->count, error);
    char *choices = objective_list_choices(objective_table, OBJECTIVE_COUNT);
    error_input(error, "--stage 2 needs --loss: %s, or several with commas between", choices);
    memory_free(choices);
    return false;
}

/* "f32 (auto: the processor has no bfloat16 instructions), 2 threads", or "..., 4 processes of 2
 * threads"; `reason` as from settings_load. */
static char *describe_arithmetic(const Config *config, const char *reason)
{
    const int threads = omp_get_max_threads();
    const char *name = config->precision == PRECISION_BF16 ? "bf16" : "f32";
    char *processes =
        group_size() > 1 ? memory_format("%d processes of ", group_size()) : memory_string("");
    char *text = memory_format("%s (%s%s), %s%d thread%s", name,
                               reason ? "" : "auto: ", reason ? reason : precision_reason(),
                               processes, threads, threads == 1 ? "" : "s");
    memory_free(processes);
    return text;
}

static bool run_stage1(const Settings *settings, const Config *config, const char *run,
                       Error *error)
{
    Stage *stage = NULL;
    bool done = memory_limit_check(false, error) && stage1_make(&stage, config, run, error);
    done = group_agree(done, error) && loop_run(stage, &settings->loop, error);
    stage_free(stage);
    return done;
}

static bool run_stage2(const Settings *settings, const Config *config, Stage2Task *task,
                       const char *run, Error *error)
{
    if (task->heads && config->stage2.solver != SOLVER_ADAM)
        return error_input(error, "--heads goes with --set stage2.solver=adam, and the solver is "
                                  "exact");
    char *init = settings->init    ? memory_string(settings->init)
                 : settings->heads ? memory_string(settings->heads)
                                   : memory_format("%s/stage1.h5", run);
    task->init = init;
    bool done =
        settings->init || settings->heads || access(init, F_OK) == 0 ||
        error_input(error,
                    "%s: stage 2 needs the network of stage 1, which is not there; run "
                    "train --stage 1 first, or name with --init a checkpoint that holds it (a "
                    "stage-2 file does)",
                    init);
    Stage *stage = NULL;
    done = done && memory_limit_check(config->stage2.solver == SOLVER_EXACT, error) &&
           stage2_make(&stage, config, run, task, error);
    done = group_agree(done, error) && loop_run(stage, &settings->loop, error);
    stage_free(stage);
    memory_free(init);
    return done;
}

static bool check_settings(const Settings *settings, Error *error)
{
    if (settings->stage == 0)
        return error_input(error, "expected --stage 1 or --stage 2 (train --help explains)");
    if (settings->stage == 1 && settings->loss)
        return error_input(error, "--loss goes with --stage 2");
    if (settings->stage == 1 && settings->init)
        return error_input(error, "--init goes with --stage 2");
    if (settings->stage == 1 && settings->heads)
        return error_input(error, "--heads goes with --stage 2");
    if (settings->loop.resume && settings->loop.fresh)
        return error_input(error, "--resume and --fresh exclude each other");
    return true;
}

static bool run(Settings *settings, Error *error)
{
    Config config;
    const char *reason = NULL;
    char *origin = NULL;
    Stage2Task task = {.heads = settings->heads};
    settings_show_notes(settings);
    const bool ready = check_settings(settings, error) &&
                       (settings->stage == 1 || parse_losses(settings->loss, &task, error));
    if (!group_agree(ready, error) ||
        !settings_load(settings, &task, &config, &reason, &origin, error)) {
        memory_free(origin);
        return false;
    }
    program_set_threads((int)settings->threads);
    char *computes = describe_arithmetic(&config, reason);
    settings->loop.computes = computes;
    settings->loop.recipe = origin;
    char *directory =
        settings->run ? memory_string(settings->run) : memory_format("checkpoints/%s", config.name);
    cache_place_set(directory, !settings->loop.quiet);
    bool done = settings->stage == 1 ? run_stage1(settings, &config, directory, error)
                                     : run_stage2(settings, &config, &task, directory, error);
    memory_free(directory);
    memory_free(computes);
    memory_free(origin);
    return done;
}

int main(int argc, char **argv)
{
    idle_threads_sleep(argv);
    Settings s = {.precision = -1, .convolution = -1};
    const Option options[] = {
        option_heading("What to train"),
        option_integer("stage", "1|2", &s.stage, 1, 2, "the stage"),
        option_string("loss", "LOSSES", &s.loss,
                      "stage 2: one of those above, or several with commas between"),
        option_string("config", "RECIPE", &s.config,
                      "the recipe: a file, or the name of one in configs/ (default: that of the "
                      "network in --run, or else fashion-mnist)"),
        option_list("set", "KEY=VALUE", &s.overrides,
                    "override one key of the recipe, as in stage1.batch=64; repeatable"),
        option_string("run", "DIR", &s.run, "where results go (default: checkpoints/<name>)"),
        option_string("init", "FILE", &s.init,
                      "stage 2: the checkpoint whose network is frozen (default: RUN/stage1.h5)"),
        option_string("heads", "FILE", &s.heads,
                      "stage 2, adam: a checkpoint whose heads to begin with, and whose network "
                      "to take unless --init names another"),
        option_heading("How"),
        option_flag("resume", &s.loop.resume,
                    "continue the run's checkpoint, which must be there (the default continues "
                    "it if it is), with another learning rate too"),
        option_flag("fresh", &s.loop.fresh, "start again and replace the run's checkpoint"),
        option_string("seed", "N", &s.seed, "short for --set seed=N"),
        option_integer("threads", "N", &s.threads, 1, PROGRAM_MAX_THREADS,
                       "processor cores to use (default: all)"),
        option_choice("precision", "auto|f32|bf16", &s.precision, "short for --set precision=..."),
        option_choice("convolution", "auto|direct", &s.convolution,
                      "short for --set convolution=..."),
        option_flag("profile", &s.loop.profile, "print in the end where the time of a step went"),
        option_flag("quiet", &s.loop.quiet, "print errors only"),
        option_flag("help", &s.help, "print this page"),
        option_flag("version", &s.version, "print the version"),
    };
    const int count = sizeof options / sizeof options[0];
    Error error = {0};

    program_start();
    bool done = group_mpi_start(&error);
    if (group_mpi_is_running())
        hdf5_trial_wanted(false);
    done = done && options_parse(options, count, argc - 1, argv + 1, NULL, &error);
    if (done && s.help)
        help_print(options, count);
    else if (done && s.version)
        printf("train (varhead) %s\n", VARHEAD_VERSION);
    else if (done)
        done = run(&s, &error);
    string_list_free(&s.overrides);
    done = group_mpi_end("train", done, &error);
    /* A run that a signal stopped ends with 128 and its number, which promises that all was
     * saved. */
    int code = program_end("train", done, &error);
    return group_mpi_status(done ? code : (int)error.kind);
}
