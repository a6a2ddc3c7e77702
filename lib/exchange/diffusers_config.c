/* The descriptions of diffusers: config.json of a UNet2DModel, scheduler_config.json.
 *
 * A key that is missing has the default of diffusers' class, not ours: google's files lack the keys
 * that came later.
 */
#include "exchange/descriptions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A block type: whether it has attention, and whether residual blocks change the resolution. */
typedef struct BlockType {
    bool attends, resamples;
} BlockType;

/* The types of one side. Blocks with attention go by downsample_type and upsample_type. */
typedef struct Side {
    const char *key, *plain, *attention, *residual, *sample_key;
} Side;

static const Side sides[] = {
    {"down_block_types", "DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D",
     "downsample_type"},
    {"up_block_types", "UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D", "upsample_type"}};

/* *type := the type of that name. False if the side has none of that name. */
static bool block_type(const Described *d, const Side *side, const char *text, BlockType *type)
{
    const char *sample = json_get_text(json_member(d->json, side->sample_key));
    const bool resnet = sample && strcmp(sample, "resnet") == 0;
    *type = (BlockType){0};
    if (text && strcmp(text, side->attention) == 0)
        *type = (BlockType){.attends = true, .resamples = resnet};
    else if (text && strcmp(text, side->residual) == 0)
        *type = (BlockType){.resamples = true};
    else
        return text && strcmp(text, side->plain) == 0;
    return true;
}

/* types [levels] := the block types of one side. */
static bool block_types(const Described *d, const Side *side, int levels, BlockType *types)
{
    const Json *list = json_member(d->json, side->key);
    if (!json_is_list(list) || json_count(list) != (size_t)levels)
        return error_input(d->error, "%s: %s: expected a list of %d block types", d->path,
                           side->key, levels);
    for (int i = 0; i < levels; i++) {
        const char *text = json_get_text(json_entry(list, (size_t)i));
        if (!block_type(d, side, text, &types[i]))
            return error_input(d->error, "%s: %s has %.60s, expected %s, %s or %s", d->path,
                               side->key, text ? text : "no text", side->plain, side->attention,
                               side->residual);
    }
    return true;
}

/* Between all levels the same: the last block of a side has nothing after it. */
static bool resampling(Config *config, const Described *d, const BlockType *down,
                       const BlockType *up)
{
    const int levels = config->model.levels;
    for (int i = 0; i + 1 < levels; i++)
        if (down[i].resamples != down[0].resamples || up[i].resamples != down[0].resamples)
            return error_input(
                d->error,
                "%s: the resolution is changed by residual blocks at some levels and "
                "by convolutions at others, expected the same everywhere",
                d->path);
    config->model.resampling = levels > 1 && down[0].resamples ? RESAMPLING_BLOCK : RESAMPLING_AUTO;
    return true;
}

static bool blocks(Config *config, const Described *d)
{
    BlockType down[CONFIG_MAX_LEVELS] = {0}, up[CONFIG_MAX_LEVELS] = {0};
    const int levels = config->model.levels;
    if (!block_types(d, &sides[0], levels, down) || !block_types(d, &sides[1], levels, up) ||
        !resampling(config, d, down, up))
        return false;
    config->model.attentions = 0;
    for (int i = 0; i < levels; i++) {
        if (down[i].attends != up[levels - 1 - i].attends)
            return error_input(d->error,
                               "%s: attention differs on the way down and up at level %d, expected "
                               "the same",
                               d->path, i);
        if (down[i].attends)
            config->model.attention[config->model.attentions++] = config->data.resolution >> i;
    }
    return true;
}

static bool widths(Config *config, const Described *d)
{
    int channels[CONFIG_MAX_LEVELS] = {0}, levels = 0;
    if (!described_list(d, "block_out_channels", CONFIG_MAX_LEVELS, channels, &levels))
        return false;
    config->model.levels = levels;
    config->model.channels = levels > 0 ? channels[0] : 0;
    for (int i = 0; i < levels; i++) {
        config->model.channel_mult[i] = channels[i] / channels[0];
        if (channels[i] % channels[0] != 0)
            return error_input(d->error,
                               "%s: block_out_channels has %d, expected multiples of the first, %d",
                               d->path, channels[i], channels[0]);
    }
    return true;
}

/* sample_size is one number, or two: the height and the width. */
static bool sample_size(const Described *d, int *size)
{
    int sizes[2], count;
    const Json *member = json_member(d->json, "sample_size");
    if (json_is_absent(member))
        return error_input(d->error, "%s: has no sample_size; --resolution N says it", d->path);
    if (!json_is_list(member))
        return described_integer(d, "sample_size", 0, 4, 1024, size);
    if (!described_list(d, "sample_size", 2, sizes, &count))
        return false;
    *size = sizes[0];
    return (count == 2 && sizes[0] == sizes[1] && sizes[0] >= 4 && sizes[0] <= 1024) ||
           error_input(d->error, "%s: sample_size has another form than a square of 4 to 1024",
                       d->path);
}

static bool resolution(Config *config, const Described *d, int64_t wanted)
{
    config->data.resolution = (int)wanted;
    return wanted > 0 || sample_size(d, &config->data.resolution);
}

static bool images(Config *config, const Described *d)
{
    int out = 0;
    if (!described_integer(d, "in_channels", 3, 1, 64, &config->data.channels) ||
        !described_integer(d, "out_channels", 3, 1, 128, &out))
        return false;
    const int in = config->data.channels;
    config->model.learned = out == 2 * in ? LEARNED_RANGE : LEARNED_NONE;
    return out == in || out == 2 * in ||
           error_input(d->error,
                       "%s: out_channels is %d, expected %d as in_channels, or twice as many for a "
                       "learned variance",
                       d->path, out, in);
}

/* Options that change the network in a way that is not known here. */
static bool fixed_options(const Described *d)
{
    return described_text_is(d, "_class_name", "UNet2DModel", "UNet2DUnconditionalModel") &&
           described_is_absent(d, "num_class_embeds") &&
           described_is_absent(d, "class_embed_type") &&
           described_text_is(d, "time_embedding_type", "positional", NULL) &&
           described_text_is(d, "act_fn", "silu", "swish") &&
           described_text_is(d, "downsample_type", "conv", "resnet") &&
           described_text_is(d, "upsample_type", "conv", "resnet") &&
           described_number_is(d, "mid_block_scale_factor", 1, 1) &&
           described_truth_is(d, "center_input_sample", false, false) &&
           described_truth_is(d, "add_attention", true, true) &&
           described_text_is(d, "resnet_time_scale_shift", "default", "scale_shift");
}

static bool truth(const Described *d, const char *key, bool missing)
{
    bool value = missing;
    json_get_truth(json_member(d->json, key), &value);
    return value;
}

static bool time_embedding(Config *config, const Described *d)
{
    const char *shift = json_get_text(json_member(d->json, "resnet_time_scale_shift"));
    const bool cosines = truth(d, "flip_sin_to_cos", true);
    double freq_shift;
    config->model.time_into =
        shift && strcmp(shift, "scale_shift") == 0 ? TIME_INTO_SCALE_SHIFT : TIME_INTO_AUTO;
    config->model.embedding = cosines ? EMBEDDING_COS_SIN : EMBEDDING_AUTO;
    if (!described_truth_is(d, "flip_sin_to_cos", true, cosines) ||
        !described_number(d, "freq_shift", 0, &freq_shift))
        return false;
    config->model.freq_shift = freq_shift == 0 ? FREQ_SHIFT_0 : FREQ_SHIFT_AUTO;
    return freq_shift == 0 || described_number_is(d, "freq_shift", 0, 1);
}

/* Without attn_norm_num_groups the class leaves the norm in the middle out where the time scales
 * and shifts. Before diffusers 0.18 it had the norm there, too: then the weights say so
 * (foreign_network.c). */
static bool middle_norm(Config *config, const Described *d)
{
    int groups;
    const bool absent = json_is_absent(json_member(d->json, "attn_norm_num_groups"));
    config->model.mid_norm = !absent || config->model.time_into != TIME_INTO_SCALE_SHIFT;
    return absent || described_integer(d, "attn_norm_num_groups", 0, config->model.norm_groups,
                                       config->model.norm_groups, &groups);
}

/* Options in which the class's defaults are not google's. Those of google are the family ddpm. */
static bool variants(Config *config, const Described *d)
{
    double epsilon;
    int padding;
    /* The class has heads of 8 channels where the key is missing, and a single head where it is null. */
    const Json *heads = json_member(d->json, "attention_head_dim");
    config->model.family = FAMILY_DDPM;
    config->model.head_channels = heads ? 0 : 8;
    if ((!json_is_absent(heads) &&
         !described_integer(d, "attention_head_dim", 8, 1, 8192, &config->model.head_channels)) ||
        !described_number(d, "norm_eps", 1e-5, &epsilon) ||
        !described_integer(d, "downsample_padding", 1, 0, 1, &padding) ||
        !time_embedding(config, d) || !middle_norm(config, d))
        return false;
    config->model.norm_eps = epsilon == 1e-6 ? 0 : epsilon;
    config->model.down_padding = padding == 1 ? PADDING_BOTH : PADDING_AUTO;
    return epsilon > 0 ||
           error_input(d->error, "%s: norm_eps is %.10g, expected more than 0", d->path, epsilon);
}

bool diffusers_network(Config *config, const Json *json, const char *path, int64_t wanted,
                       Error *error)
{
    const Described d = {.json = json, .path = path, .error = error};
    return fixed_options(&d) && images(config, &d) && resolution(config, &d, wanted) &&
           widths(config, &d) &&
           described_integer(&d, "layers_per_block", 2, 1, 16, &config->model.res_blocks) &&
           described_integer(&d, "norm_num_groups", 32, 1, 1024, &config->model.norm_groups) &&
           described_number(&d, "dropout", 0, &config->model.dropout) && blocks(config, &d) &&
           variants(config, &d);
}

/* -- The schedule ------------------------------------------------------------------------------ */

/* kind := the index of the member's text in a list. */
static bool choice(const Described *d, const char *key, const char *const *texts, int count,
                   int *kind)
{
    const char *text = json_get_text(json_member(d->json, key));
    *kind = 0;
    if (json_is_absent(json_member(d->json, key)))
        return true;
    for (int i = 0; i < count; i++)
        if (text && strcmp(text, texts[i]) == 0) {
            *kind = i;
            return true;
        }
    return error_input(d->error, "%s: %s is %.60s, which is not known here", d->path, key,
                       text ? text : "no text");
}

/* trained_betas, which take the place of beta_schedule. */
static bool trained_betas(Config *config, const Described *d)
{
    const Json *list = json_member(d->json, "trained_betas");
    const size_t count = json_count(list);
    if (!json_is_list(list) || count > CONFIG_MAX_BETAS)
        return error_input(d->error, "%s: trained_betas is no list of at most %d numbers", d->path,
                           CONFIG_MAX_BETAS);
    for (size_t i = 0; i < count; i++) {
        double *beta = &config->diffusion.betas[i];
        if (!json_get_number(json_entry(list, i), beta) || !(*beta > 0 && *beta < 1))
            return error_input(d->error,
                               "%s: trained_betas has as number %zu something that is not above 0 "
                               "and below 1",
                               d->path, i + 1);
    }
    config->diffusion.schedule = SCHEDULE_BETAS;
    config->diffusion.beta_count = (int)count;
    config->diffusion.beta_start = config->diffusion.beta_end = 0;
    return (int)count == config->diffusion.timesteps ||
           error_input(d->error,
                       "%s: trained_betas has %zu numbers, expected num_train_timesteps, "
                       "which is %d",
                       d->path, count, config->diffusion.timesteps);
}

static bool betas(Config *config, const Described *d)
{
    static const char *const kinds[] = {"linear", "squaredcos_cap_v2", "scaled_linear", "sigmoid"};
    int kind;
    double start, end;
    if (!described_truth_is(d, "rescale_betas_zero_snr", false, false) ||
        !described_truth_is(d, "use_flow_sigmas", false, false) ||
        !described_text_is(d, "timestep_type", "discrete", NULL) || /* continuous: told log sigma */
        !choice(d, "beta_schedule", kinds, 4, &kind) ||
        !described_integer(d, "num_train_timesteps", 1000, 2, SCHEDULE_MAX_TIMESTEPS,
                           &config->diffusion.timesteps) ||
        !described_beta(d, "beta_start", 1e-4, &start) ||
        !described_beta(d, "beta_end", 0.02, &end))
        return false;
    if (!json_is_absent(json_member(d->json, "trained_betas")))
        return trained_betas(config, d);
    config->diffusion.schedule = (ScheduleKind)kind;
    /* The betas of diffusers do not change with N. */
    const bool ours = kind == SCHEDULE_COSINE ||
                      (start == 1e-4 && end == 0.02 && config->diffusion.timesteps == 1000);
    config->diffusion.beta_start = ours ? 0 : start;
    config->diffusion.beta_end = ours ? 0 : end;
    return true;
}

/* The classes of schedulers that add noise as DDPM does, with DDPM's defaults. They differ in how they
 * draw samples. Others have other noise, or other defaults. */
static bool known_class(const Described *d)
{
    static const char *const classes[] = {
        "DDPMScheduler",           "DDIMScheduler",
        "DDPMParallelScheduler",   "DDIMParallelScheduler",
        "PNDMScheduler",           "DDIMInverseScheduler",
        "DEISMultistepScheduler",  "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler", "DPMSolverSinglestepScheduler",
        "EulerDiscreteScheduler",  "EulerAncestralDiscreteScheduler",
        "LMSDiscreteScheduler",    "RePaintScheduler"};
    const Json *member = json_member(d->json, "_class_name");
    const char *text = json_get_text(member);
    for (size_t i = 0; text && i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(text, classes[i]) == 0)
            return true;
    return json_is_absent(member) ||
           error_input(d->error,
                       "%s: _class_name is %.60s, expected a scheduler with the noise and the "
                       "defaults of DDPMScheduler",
                       d->path, text ? text : "no text");
}

/* A page of a server that had no such file is no description. `json` is NULL where there is no file. */
static bool says_something(const Described *d)
{
    static const char *const keys[] = {"_class_name", "num_train_timesteps", "beta_schedule"};
    bool found = !d->json;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        found = found || !json_is_absent(json_member(d->json, keys[i]));
    return found || error_input(d->error,
                                "%s: has none of _class_name, num_train_timesteps and "
                                "beta_schedule, expected the description of a scheduler",
                                d->path);
}

/* diffusers 0.8 had a truth value in the place of prediction_type. */
static bool prediction(Config *config, const Described *d)
{
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample"};
    const bool epsilon = truth(d, "predict_epsilon", true);
    int predicts;
    if (!choice(d, "prediction_type", predictions, 3, &predicts) ||
        !described_truth_is(d, "predict_epsilon", true, epsilon))
        return false;
    config->model.predicts = (Predicts)predicts;
    if (!epsilon && json_is_absent(json_member(d->json, "prediction_type")))
        config->model.predicts = PREDICTS_X0;
    return true;
}

/* Nothing but variance_type says what the second half of the outputs is. */
static void note_learned(const Config *config, const Described *d, int variance, int learned,
                         ForeignNotes *notes)
{
    if (config->model.learned != LEARNED_NONE && variance != learned)
        foreign_note(notes,
                     "takes the second half of the outputs for learned_range, which variance_type "
                     "of %s does not say",
                     d->path[0] ? d->path : "the scheduler");
}

bool diffusers_schedule(Config *config, const Json *json, const char *path, ForeignNotes *notes,
                        Error *error)
{
    static const char *const variances[] = {"fixed_small", "fixed_large", "fixed_small_log",
                                            "fixed_large_log", "learned_range"};
    const Described d = {.json = json, .path = path, .error = error};
    const int learned = 4;
    int variance;
    if (!says_something(&d) || !known_class(&d) || !betas(config, &d) || !prediction(config, &d) ||
        !choice(&d, "variance_type", variances, 5, &variance))
        return false;
    config->stage1.variance = variance % 2 == 1 ? FIXED_BETA : FIXED_BETA_TILDE;
    config->model.time =
        config->diffusion.timesteps == 1000 ? MODEL_TIME_T_MINUS_1 : MODEL_TIME_INDEX;
    note_learned(config, &d, variance, learned, notes);
    return true;
}
