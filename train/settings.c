/* Makes the configuration of a command. Overrides come last: those of --set, then the short options,
 * then what images that the command line names need besides (train/own_images.h).
 */
#include "train/settings.h"

#include "base/group.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/standard_error.h"
#include "config/recipe.h"
#include "io/checkpoint.h"
#include "model/precision.h"
#include "train/own_images.h"

#include <unistd.h>

static void print_note(const char *text)
{
    standard_error_say("train: note: %s\n", text);
}

void settings_show_notes(const Settings *settings)
{
    note_show(settings->loop.quiet ? NULL : print_note);
}

/* -- The recipe ------------------------------------------------------------------------------- */

/* Where a recipe is from. */
typedef struct Source {
    Recipe recipe;
    /* Of the run's network, and another program trained that. */
    bool is_of_run, is_imported;
} Source;

/* A checkpoint stores what `auto` was for stage 1. For other losses, and in stage 2, it may be
 * something else. */
static char *recipe_of(const Checkpoint *checkpoint)
{
    Config config = *checkpoint_config(checkpoint);
    config.precision = PRECISION_AUTO;
    if (config.stage2.solver == SOLVER_EXACT)
        config.stage2.solver = SOLVER_AUTO;
    return config_to_yaml(&config);
}

/* The recipe that the run's network was trained by, if the user names a run and no recipe. False if
 * there is no such network. */
static bool run_recipe(const Settings *settings, Source *source)
{
    Checkpoint *checkpoint = NULL;
    Error unused;
    Recipe *recipe = &source->recipe;
    if (settings->config || !settings->run || (settings->stage == 1 && settings->loop.fresh))
        return false;
    recipe->path = memory_format("%s/stage1.h5", settings->run);
    if (access(recipe->path, F_OK) == 0 && checkpoint_open(&checkpoint, recipe->path, &unused)) {
        recipe->text = recipe_of(checkpoint);
        source->is_imported = checkpoint_attribute(checkpoint, "/", "imported", 0) == 1;
        source->is_of_run = true;
    }
    checkpoint_close(checkpoint);
    if (!source->is_of_run)
        recipe_free(recipe);
    return source->is_of_run;
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
static bool parse_recipe(const Settings *settings, const Source *source, StringList *overrides,
                         Config *config, Error *error)
{
    const Recipe *recipe = &source->recipe;
    OwnImages own = {0};
    bool done = false;
    for (int time = 0; time < 2; time++) {
        done = (source->is_of_run ? config_parse : config_parse_file)(
            config, recipe->text, recipe->path, overrides->items, overrides->count, error);
        if (!done || time == 1)
            break;
        char *earlier = earlier_checkpoint(settings, config);
        own = own_images(config, overrides, earlier, source->is_imported);
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
    settings_show_notes(settings);
    own_images_free(&own);
    return done;
}

static bool read_recipe(const Settings *settings, StringList *overrides, Config *config,
                        char **origin, Error *error)
{
    Source source = {0};
    const bool done =
        (run_recipe(settings, &source) || recipe_read(&source.recipe, settings->config, error)) &&
        parse_recipe(settings, &source, overrides, config, error);
    *origin = source.is_of_run ? memory_string(source.recipe.path) : NULL;
    recipe_free(&source.recipe);
    return done;
}

/* -- The precision ---------------------------------------------------------------------------- */

/* The precision of the checkpoint that this command continues; PRECISION_AUTO if there is none. */
static PrecisionChoice begun_precision(const Settings *settings, const Config *config,
                                       const Stage2Task *task)
{
    Checkpoint *checkpoint = NULL;
    Error unused;
    PrecisionChoice begun = PRECISION_AUTO;
    if (settings->loop.fresh)
        return begun;
    char *name = settings->stage == 1 ? memory_string("stage1") : stage2_name(task);
    char *path = settings->run ? memory_format("%s/%s.h5", settings->run, name)
                               : memory_format("checkpoints/%s/%s.h5", config->name, name);
    if (access(path, F_OK) == 0 && checkpoint_open(&checkpoint, path, &unused))
        begun = checkpoint_config(checkpoint)->precision;
    checkpoint_close(checkpoint);
    memory_free(path);
    memory_free(name);
    return begun;
}

/* Replaces `auto` by the precision that the run began with, or else by the one that this machine
 * takes. So a run goes on in the same arithmetic on another machine. Heads are solved for in
 * float32, because infer will run them on features in float32; one pass is short in either. */
static bool resolve_precision(const Settings *settings, const Stage2Task *task, Config *config,
                              const char **reason, Error *error)
{
    DType type = DTYPE_F32;
    const bool automatic = config->precision == PRECISION_AUTO;
    if (automatic)
        config->precision = begun_precision(settings, config, task);
    const bool begun = automatic && config->precision != PRECISION_AUTO;
    const bool solved =
        automatic && !begun && settings->stage == 2 && config->stage2.solver == SOLVER_EXACT;
    *reason = !automatic ? "as asked"
              : begun    ? "auto: the run began in it"
              : solved   ? "auto: heads are solved for in the type that infer reads them in"
                         : NULL;
    if (!solved && !precision_choose(config->precision, &type, error))
        return begun ? error_prefix(error, "the run began in bf16, and goes on in it") : false;
    config->precision = type == DTYPE_BF16 ? PRECISION_BF16 : PRECISION_F32;
    return true;
}

/* -- The whole -------------------------------------------------------------------------------- */

/* --seed, --precision and --convolution are short for overrides of those keys. The task has no
 * losses in stage 1. */
static bool load_config(const Settings *settings, const Stage2Task *task, Config *config,
                        const char **reason, char **origin, Error *error)
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

    const bool done = read_recipe(settings, &overrides, config, origin, error);
    memory_free(seed);
    string_list_free(&overrides);
    if (done)
        stage2_resolve(config, task);
    return done && resolve_precision(settings, task, config, reason, error);
}

/* Loaded by the first process, for all: the recipe may come from its standard input, and `auto`
 * may be another precision on the processors of the others. */
bool settings_load(const Settings *settings, const Stage2Task *task, Config *config,
                   const char **reason, char **origin, Error *error)
{
    bool loaded = true;
    if (group_is_first()) {
        const bool before = group_alone(true);
        loaded = load_config(settings, task, config, reason, origin, error);
        group_alone(before);
    }
    if (!group_agree(loaded, error))
        return false;
    group_broadcast(config, sizeof *config);
    return true;
}
