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
#include "base/note.h"
#include "base/options.h"
#include "base/program.h"
#include "base/standard_error.h"
#include "base/version.h"
#include "config/recipe.h"
#include "data/cache_place.h"
#include "hdf5/hdf5_trial.h"
#include "io/checkpoint.h"
#include "model/precision.h"
#include "train/loop.h"
#include "train/own_images.h"
#include "train/stages.h"
#include "variance/objective_list.h"

#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Settings {
    int64_t stage, threads;
    const char *loss, *config, *run, *init, *heads, *seed;
    /* PrecisionChoice and ConvolutionChoice; -1: as the configuration says. */
    int precision, convolution;
    StringList overrides;
    LoopOptions loop;
    bool help, version;
} Settings;

static const char usage[] =
    "usage: train --stage 1 [options]\n"
    "       train --stage 2 --loss LOSS[,LOSS...] [options]\n"
    "\n"
    "Trains a diffusion model in two stages (Bao et al. 2022, arXiv 2206.07309).\n"
    "\n"
    "Stage 1 trains the network that predicts the noise eps in x_t, the mean of the\n"
    "reverse step, and saves RUN/stage1.h5. Stage 2 freezes it and fits a small head\n"
    "on its features, from which the variance of the reverse step follows:\n"
    "\n";

static const char usage_rest[] =
    "\n"
    "and saves RUN/stage2-LOSS.h5. Several losses, as in npr,sn, fit a head each on\n"
    "the same passes of the network and save RUN/stage2-npr+sn.h5. A stage-2 file is\n"
    "complete: `infer` needs nothing else. The losses of every step go to\n"
    "RUN/metrics.csv. On Fashion-MNIST and on CIFAR-10 nll_block had the best bounds,\n"
    "on CIFAR-10 also the nearest samples for a pass a step (docs/study-cifar10.md).\n"
    "\n"
    "A simple head is not trained but solved for, in one pass over stage2.images\n"
    "images; --set stage2.solver=adam trains it as published. nll is solved for on a\n"
    "sample of the pass, stage2.memory GiB at most. The stage-2 file holds the sample\n"
    "until the run is complete; after that --fresh is the way to more images.\n"
    "\n"
    "A run that was stopped (Ctrl-C saves first) is continued, exactly, by the same\n"
    "command. A run that is complete is left alone; a larger number of steps, as in\n"
    "--set stage1.steps=40000, continues it.\n"
    "\n"
    "A recipe is found by its path or by its name: quick is quick.yaml in configs/,\n"
    "or else in the source tree's configs/ or PREFIX/share/varhead/configs/ of the\n"
    "program that runs.\n"
    "\n"
    "examples:\n"
    "  train --stage 1\n"
    "  train --stage 2 --loss npr,sn\n"
    "  train --stage 1 --config quick --set stage1.lr=5e-4 --run try\n"
    "\n";

/* Prints lines. A line that is wider than a page of help is broken between words. */
static void print_wrapped(const char *text)
{
    /* INDENT is the indentation of the second line of a key. */
    enum { WIDTH = 80, INDENT = 27, MIN_INDENT = 4 };
    int indent = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        if (indent + length > WIDTH)
            for (length = WIDTH - indent; length > 0 && text[length] != ' ';)
                length--;
        if (length == 0 && *text != '\n') { /* a path that is wider than a line */
            length = (int)strcspn(text, " \n");
            indent = MIN_INDENT;
        }
        printf("%*s%.*s\n", indent, "", length, text);
        text += length;
        indent = *text == ' ' ? INDENT : 0;
        text += *text != '\0';
    }
}

static void print_help(const Option *options, int count)
{
    char *keys = config_help();
    fputs(usage, stdout);
    for (int i = 0; i < OBJECTIVE_COUNT; i++)
        if (objective_trains_head(objective_table[i]))
            printf("  %-4s %s (%s)\n", objective_table[i]->name, objective_table[i]->help,
                   objective_table[i]->source);
    fputs(usage_rest, stdout);
    options_print_help(options, count, stdout);
    printf("\nkeys of a configuration, for the file and for --set:\n");
    print_wrapped(keys);
    printf("\nExit codes: 0 done, 1 failed, 2 wrong input. Stopped by a signal, with what was\n"
           "trained saved: 128 and its number, as 130 by SIGINT (Ctrl-C), 143 by SIGTERM,\n"
           "129 SIGHUP, 138 SIGUSR1, 140 SIGUSR2, 141 SIGPIPE, 152 SIGXCPU.\n");
    memory_free(keys);
}

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

/* The precision of the checkpoint that this command continues, for stage 1; PRECISION_AUTO if there
 * is none. */
static PrecisionChoice begun_precision(const Settings *settings, const Config *config)
{
    Checkpoint *checkpoint = NULL;
    Error unused;
    PrecisionChoice begun = PRECISION_AUTO;
    if (settings->stage != 1 || settings->loop.fresh)
        return begun;
    char *path = settings->run ? memory_format("%s/stage1.h5", settings->run)
                               : memory_format("checkpoints/%s/stage1.h5", config->name);
    if (access(path, F_OK) == 0 && checkpoint_open(&checkpoint, path, &unused))
        begun = checkpoint_config(checkpoint)->precision;
    checkpoint_close(checkpoint);
    memory_free(path);
    return begun;
}

/* Replaces `auto` by the precision that stage 1 began with, or else by the one that this machine
 * takes. So a run goes on in the same arithmetic on another machine. Heads are solved for in
 * float32, because infer will run them on features in float32; one pass is short in either. */
static bool resolve_precision(const Settings *settings, Config *config, const char **reason,
                              Error *error)
{
    DType type = DTYPE_F32;
    const bool automatic = config->precision == PRECISION_AUTO;
    if (automatic)
        config->precision = begun_precision(settings, config);
    const bool begun = automatic && config->precision != PRECISION_AUTO;
    const bool solved = settings->stage == 2 && config->stage2.solver == SOLVER_EXACT;
    *reason = !automatic ? "as asked"
              : begun    ? "auto: the run began in it"
              : solved   ? "auto: heads are solved for in the type that infer reads them in"
                         : NULL;
    if (!(automatic && solved) && !precision_choose(config->precision, &type, error))
        return false;
    config->precision = type == DTYPE_BF16 ? PRECISION_BF16 : PRECISION_F32;
    return true;
}

/* "f32 (auto: the processor has no bfloat16 instructions), 2 threads", or "..., 4 processes of 2
 * threads"; `reason` as from
 * resolve_precision. */
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

/* The configuration in the run's network, if another program trained it and the user names no
 * recipe: there is no other recipe. False if there is no such network. */
static bool imported_recipe(const Settings *settings, Recipe *recipe)
{
    Checkpoint *checkpoint = NULL;
    Error unused;
    if (settings->stage != 2 || settings->config || !settings->run)
        return false;
    recipe->path = memory_format("%s/stage1.h5", settings->run);
    if (access(recipe->path, F_OK) == 0 && checkpoint_open(&checkpoint, recipe->path, &unused) &&
        checkpoint_attribute(checkpoint, "/", "imported", 0) == 1)
        recipe->text = config_to_yaml(checkpoint_config(checkpoint));
    checkpoint_close(checkpoint);
    if (!recipe->text)
        recipe_free(recipe);
    return recipe->text != NULL;
}

static void print_note(const char *text)
{
    standard_error_say("train: note: %s\n", text);
}

/* The checkpoint whose run or whose network goes on; NULL: a new run begins. Caller frees. */
static char *earlier_checkpoint(const Settings *settings, const Config *config)
{
    if (settings->stage == 1 && settings->loop.fresh)
        return NULL;
    if (settings->init || settings->heads)
        return memory_string(settings->init ? settings->init : settings->heads);
    return settings->run ? memory_format("%s/stage1.h5", settings->run)
                         : memory_format("checkpoints/%s/stage1.h5", config->name);
}

/* Parses the recipe, and again with what the images of the command line need. */
static bool parse_recipe(const Settings *settings, const Recipe *recipe, bool imported,
                         StringList *overrides, Config *config, Error *error)
{
    OwnImages own = {0};
    bool done = false;
    for (int time = 0; time < 2; time++) {
        done = (imported ? config_parse : config_parse_file)(
            config, recipe->text, recipe->path, overrides->items, overrides->count, error);
        if (!done || time == 1)
            break;
        char *earlier = earlier_checkpoint(settings, config);
        own = own_images(config, overrides, earlier, imported);
        memory_free(earlier);
        if (!own.format && !own.test && !own.channels)
            break;
        if (own.format)
            string_list_add(overrides, own.format);
        if (own.test)
            string_list_add(overrides, own.test);
        if (own.channels)
            string_list_add(overrides, own.channels);
        note_show(NULL); /* the recipe's own notes have been shown */
    }
    note_show(settings->loop.quiet ? NULL : print_note);
    own_images_free(&own);
    return done;
}

static bool read_recipe(const Settings *settings, StringList *overrides, Config *config,
                        Error *error)
{
    Recipe recipe = {0};
    const bool imported = imported_recipe(settings, &recipe);
    const bool done = (imported || recipe_read(&recipe, settings->config, error)) &&
                      parse_recipe(settings, &recipe, imported, overrides, config, error);
    recipe_free(&recipe);
    return done;
}

/* --seed, --precision and --convolution are short for overrides of those keys. The task has no
 * losses in stage 1. */
static bool load_config(const Settings *settings, const Stage2Task *task, Config *config,
                        const char **reason, Error *error)
{
    static const char *const precisions[] = {"precision=auto", "precision=f32", "precision=bf16"};
    static const char *const convolutions[] = {"convolution=auto", "convolution=direct"};
    StringList overrides = {0};
    for (int i = 0; i < settings->overrides.count; i++)
        string_list_add(&overrides, settings->overrides.items[i]);
    char *seed = settings->seed ? memory_format("seed=%s", settings->seed) : NULL;
    if (seed)
        string_list_add(&overrides, seed);
    if (settings->precision >= 0)
        string_list_add(&overrides, precisions[settings->precision]);
    if (settings->convolution >= 0)
        string_list_add(&overrides, convolutions[settings->convolution]);

    const bool done = read_recipe(settings, &overrides, config, error);
    memory_free(seed);
    string_list_free(&overrides);
    if (done)
        stage2_resolve(config, task);
    return done && resolve_precision(settings, config, reason, error);
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

/* load_config by the first process, for all: the recipe may come from its standard input, and `auto`
 * may be another precision on the processors of the others. */
static bool load_for_all(const Settings *settings, const Stage2Task *task, Config *config,
                         const char **reason, Error *error)
{
    bool loaded = true;
    if (group_is_first()) {
        const bool before = group_alone(true);
        loaded = load_config(settings, task, config, reason, error);
        group_alone(before);
    }
    if (!group_agree(loaded, error))
        return false;
    group_broadcast(config, sizeof *config);
    return true;
}

static bool run(Settings *settings, Error *error)
{
    Config config;
    const char *reason = NULL;
    Stage2Task task = {.heads = settings->heads};
    note_show(settings->loop.quiet ? NULL : print_note);
    const bool ready = check_settings(settings, error) &&
                       (settings->stage == 1 || parse_losses(settings->loss, &task, error));
    if (!group_agree(ready, error) || !load_for_all(settings, &task, &config, &reason, error))
        return false;
    program_set_threads((int)settings->threads);
    char *computes = describe_arithmetic(&config, reason);
    settings->loop.computes = computes;
    char *directory =
        settings->run ? memory_string(settings->run) : memory_format("checkpoints/%s", config.name);
    cache_place_set(directory, !settings->loop.quiet);
    bool done = settings->stage == 1 ? run_stage1(settings, &config, directory, error)
                                     : run_stage2(settings, &config, &task, directory, error);
    memory_free(directory);
    memory_free(computes);
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
                      "the recipe: a file, or the name of one in configs/ (default: "
                      "fashion-mnist)"),
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
        print_help(options, count);
    else if (done && s.version)
        printf("train (varhead) %s\n", VARHEAD_VERSION);
    else if (done)
        done = run(&s, &error);
    string_list_free(&s.overrides);
    done = group_mpi_end("train", done, &error);
    /* A run that a signal stopped ends with 128 and its number, which promises that all was
     * saved. */
    int code = program_end("train", done, &error);
    return done ? code : (int)error.kind;
}
