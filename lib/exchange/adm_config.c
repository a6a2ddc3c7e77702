/* The flags of improved- and guided-diffusion, as their scripts take them.
 *
 * The programs have the same flags but for a few, and the same defaults but for one. A file that
 * has a flag of guided-diffusion alone is taken for its flags.
 */
#include "exchange/descriptions.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* values [*count] := the integers of a list: a text "16,8", a list, or a single integer. */
static bool integers(const Described *d, const char *key, int *values, int *count)
{
    const Json *member = json_member(d->json, key);
    const char *whole = json_get_text(member), *text = whole;
    int64_t single;
    *count = 0;
    if (json_is_list(member))
        return described_list(d, key, CONFIG_MAX_LEVELS, values, count);
    if (json_get_integer(member, &single) && single >= 1 && single <= 65536) {
        values[(*count)++] = (int)single;
        return true;
    }
    while (text && *text != '\0' && *count < CONFIG_MAX_LEVELS) {
        char *end;
        const long value = strtol(text, &end, 10);
        if (end == text || value < 1 || value > 65536 || (*end != '\0' && *end != ','))
            break;
        values[(*count)++] = (int)value;
        text = *end == ',' ? end + 1 : end;
    }
    return (text && *text == '\0') ||
           error_input(d->error,
                       "%s: %s is %.60s, expected at most %d integers above 0 with commas between "
                       "them",
                       d->path, key, whole ? whole : "no text", CONFIG_MAX_LEVELS);
}

/* The widths that the programs choose for images of that size. */
static bool usual_widths(Config *config, const Described *d)
{
    static const struct {
        int size, levels, mult[CONFIG_MAX_LEVELS];
    } usual[] = {{256, 6, {1, 1, 2, 2, 4, 4}},
                 {128, 5, {1, 1, 2, 3, 4}},
                 {64, 4, {1, 2, 3, 4}},
                 {32, 4, {1, 2, 2, 2}}};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (usual[i].size == config->data.resolution) {
            config->model.levels = usual[i].levels;
            memcpy(config->model.channel_mult, usual[i].mult, sizeof usual[i].mult);
            return true;
        }
    return error_input(d->error,
                       "%s: has no channel_mult, and no list of integers is usual for images of %d "
                       "x %d",
                       d->path, config->data.resolution, config->data.resolution);
}

static bool widths(Config *config, const Described *d)
{
    const Json *mult = json_member(d->json, "channel_mult");
    const char *text = json_get_text(mult);
    if (json_is_absent(mult) || (text && text[0] == '\0'))
        return usual_widths(config, d);
    return integers(d, "channel_mult", config->model.channel_mult, &config->model.levels);
}

/* guided-diffusion's first convolution has that many times num_channels channels, ours has
 * num_channels. */
static bool first_width(const Config *config, const Described *d, bool guided)
{
    return !guided || config->model.channel_mult[0] == 1 ||
           error_input(d->error,
                       "%s: channel_mult begins with %d, expected 1: the first convolution has "
                       "num_channels channels here",
                       d->path, config->model.channel_mult[0]);
}

/* The flag names resolutions. The programs turn them into factors of downsampling, and one that is
 * no level's has no effect. */
static bool attention(Config *config, const Described *d)
{
    int listed[CONFIG_MAX_LEVELS] = {16, 8}, count = 2;
    if (!json_is_absent(json_member(d->json, "attention_resolutions")) &&
        !integers(d, "attention_resolutions", listed, &count))
        return false;
    config->model.attentions = 0;
    for (int level = 0; level < config->model.levels; level++)
        for (int i = 0; i < count; i++)
            if (config->data.resolution / listed[i] == 1 << level) {
                config->model.attention[config->model.attentions++] =
                    config->data.resolution >> level;
                break;
            }
    return true;
}

static bool truth(const Described *d, const char *key, bool missing, bool *value)
{
    const Json *member = json_member(d->json, key);
    *value = missing;
    return json_is_absent(member) || json_get_truth(member, value) ||
           error_input(d->error, "%s: %s has a value that can't be taken, expected true or false",
                       d->path, key);
}

static bool heads(Config *config, const Described *d)
{
    int width, upwards;
    if (!described_integer(d, "num_heads", 4, 1, 1024, &config->model.heads) ||
        !described_integer(d, "num_head_channels", -1, -1, 8192, &width) ||
        !described_integer(d, "num_heads_upsample", -1, -1, 1024, &upwards))
        return false;
    if (width == 0)
        return error_input(d->error, "%s: num_head_channels is 0, expected -1 or more than 0",
                           d->path);
    config->model.head_channels = width > 0 ? width : 0;
    return width > 0 || upwards < 0 || upwards == config->model.heads ||
           error_input(d->error,
                       "%s: num_heads_upsample is %d, expected -1 or num_heads, which is %d",
                       d->path, upwards, config->model.heads);
}

static bool network(Config *config, const Described *d, bool *heads_first)
{
    bool scale_shift, updown, new_order, learned, x0;
    if (!described_truth_is(d, "class_cond", false, false) ||
        !described_integer(d, "image_size", 64, 4, 1024, &config->data.resolution) ||
        !described_integer(d, "num_channels", 128, 4, 4096, &config->model.channels) ||
        !described_integer(d, "num_res_blocks", 2, 1, 16, &config->model.res_blocks) ||
        !described_number(d, "dropout", 0, &config->model.dropout) || !widths(config, d) ||
        !attention(config, d) || !heads(config, d) ||
        !truth(d, "use_scale_shift_norm", true, &scale_shift) ||
        !truth(d, "resblock_updown", false, &updown) ||
        !truth(d, "use_new_attention_order", false, &new_order) ||
        !truth(d, "learn_sigma", false, &learned) || !truth(d, "predict_xstart", false, &x0))
        return false;
    config->model.family = FAMILY_ADM;
    config->model.norm_groups = 32;
    config->model.time_into = scale_shift ? TIME_INTO_AUTO : TIME_INTO_ADD;
    config->model.resampling = updown ? RESAMPLING_AUTO : RESAMPLING_CONV;
    config->model.learned = learned ? LEARNED_RANGE : LEARNED_NONE;
    config->model.predicts = x0 ? PREDICTS_X0 : PREDICTS_EPS;
    *heads_first = !new_order;
    return true;
}

static bool schedule(Config *config, const Described *d, bool guided)
{
    const char *kind = json_get_text(json_member(d->json, "noise_schedule"));
    bool rescaled, small;
    if (!described_integer(d, "diffusion_steps", 1000, 2, SCHEDULE_MAX_TIMESTEPS,
                           &config->diffusion.timesteps) ||
        !described_text_is(d, "noise_schedule", "linear", "cosine") ||
        !truth(d, "rescale_timesteps", !guided, &rescaled) ||
        !truth(d, "sigma_small", false, &small))
        return false;
    config->diffusion.schedule =
        kind && strcmp(kind, "cosine") == 0 ? SCHEDULE_COSINE : SCHEDULE_LINEAR;
    config->diffusion.beta_start = config->diffusion.beta_end = 0;
    config->stage1.variance = small ? FIXED_BETA_TILDE : FIXED_BETA;
    config->model.time =
        rescaled || config->diffusion.timesteps == 1000 ? MODEL_TIME_T_MINUS_1 : MODEL_TIME_INDEX;
    return true;
}

/* The flags of both programs' scripts, without those of guided-diffusion alone. */
static const char *const shared_flags[] = {
    /* What the network is and what it is told. */
    "image_size", "num_channels", "num_res_blocks", "num_heads", "learn_sigma", "dropout",
    "use_scale_shift_norm", "attention_resolutions", "diffusion_steps", "noise_schedule",
    "rescale_timesteps", "predict_xstart",
    /* What changes nothing here, or is the usual where it is missing. */
    "num_heads_upsample", "channel_mult", "class_cond", "sigma_small", "use_checkpoint", "use_kl",
    "rescale_learned_sigmas", "timestep_respacing", "data_dir", "schedule_sampler", "lr",
    "weight_decay", "lr_anneal_steps", "batch_size", "microbatch", "ema_rate", "log_interval",
    "save_interval", "resume_checkpoint", "use_fp16", "fp16_scale_growth", "clip_denoised",
    "num_samples", "use_ddim", "model_path"};
static const char *const guided_flags[] = {"num_head_channels", "resblock_updown",
                                           "use_new_attention_order"};
enum {
    SHARED_FLAGS = sizeof shared_flags / sizeof shared_flags[0],
    GUIDED_FLAGS = sizeof guided_flags / sizeof guided_flags[0],
    /* Of the shared ones, those whose default is said when it is taken. */
    SAID_FLAGS = 12,
};

/* Names one after the other, as far as there is room. */
typedef struct Names {
    char text[512];
    size_t used;
} Names;

static void add_name(Names *names, const char *name)
{
    if (names->used < sizeof names->text - 1)
        names->used += (size_t)snprintf(names->text + names->used, sizeof names->text - names->used,
                                        "%s%.60s", names->used > 0 ? ", " : "", name);
}

static bool is_one_of(const char *name, const char *const *flags, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, flags[i]) == 0)
            return true;
    return false;
}

/* A visit of json_each. */
static bool add_unknown(void *context, const char *name, const Json *member)
{
    (void)member;
    if (!is_one_of(name, shared_flags, SHARED_FLAGS) &&
        !is_one_of(name, guided_flags, GUIDED_FLAGS))
        add_name(context, name);
    return true;
}

/* Says which of the flags that matter the file lacks, and which it has that nobody knows: one of these
 * may be one of those, misspelt. */
static void note_flags(const Described *d, bool guided, ForeignNotes *notes)
{
    Names missing = {.used = 0}, unknown = {.used = 0};
    for (int i = 0; i < SAID_FLAGS; i++)
        if (json_is_absent(json_member(d->json, shared_flags[i])))
            add_name(&missing, shared_flags[i]);
    for (int i = 0; guided && i < GUIDED_FLAGS; i++)
        if (json_is_absent(json_member(d->json, guided_flags[i])))
            add_name(&missing, guided_flags[i]);
    (void)json_each(d->json, add_unknown, &unknown);
    if (missing.used > 0)
        foreign_note(notes, "%s does not say %s; the defaults of %s are taken", d->path,
                     missing.text, guided ? "guided-diffusion" : "improved-diffusion");
    if (unknown.used > 0)
        foreign_note(notes, "%s has flags that are not known here, and that change nothing: %s",
                     d->path, unknown.text);
}

bool adm_flags(Config *config, const Json *json, const char *path, bool *heads_first,
               ForeignNotes *notes, Error *error)
{
    const Described d = {.json = json, .path = path, .error = error};
    bool guided = false;
    for (int i = 0; i < GUIDED_FLAGS; i++)
        guided = guided || !json_is_absent(json_member(json, guided_flags[i]));
    if (json_is_absent(json_member(json, "num_channels")) &&
        json_is_absent(json_member(json, "image_size")))
        return error_input(error,
                           "%s: has neither num_channels nor image_size, expected the flags of "
                           "improved- or guided-diffusion",
                           path);
    if (!described_is_absent(&d, "large_size") || !described_is_absent(&d, "small_size") ||
        !network(config, &d, heads_first) || !first_width(config, &d, guided) ||
        !schedule(config, &d, guided))
        return false;
    note_flags(&d, guided, notes);
    return true;
}
