/* The descriptions of diffusers: config.json of a UNet2DModel, scheduler_config.json.
 *
 * A key that is missing has the default of diffusers' class, not ours: google's files lack the keys
 * that came later.
 */
#include "exchange/descriptions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Whether block type `text` has attention. False if the type is none of the side's two. */
static bool block_attends(const char *text, const char *side, bool *attends)
{
    char plain[32], attention[32];
    snprintf(plain, sizeof plain, "%sBlock2D", side);
    snprintf(attention, sizeof attention, "Attn%sBlock2D", side);
    *attends = text && strcmp(text, attention) == 0;
    return *attends || (text && strcmp(text, plain) == 0);
}

/* attends [levels] := which levels have attention, by the types of one side. */
static bool block_types(const Described *d, const char *key, const char *side, int levels,
                        bool *attends)
{
    const Json *list = json_member(d->json, key);
    if (!json_is_list(list) || json_count(list) != (size_t)levels)
        return error_input(d->error, "%s: %s: expected a list of %d block types", d->path, key,
                           levels);
    for (int i = 0; i < levels; i++) {
        const char *text = json_get_text(json_entry(list, (size_t)i));
        if (!block_attends(text, side, &attends[i]))
            return error_input(d->error, "%s: %s has %.60s, expected %sBlock2D or Attn%sBlock2D",
                               d->path, key, text ? text : "no text", side, side);
    }
    return true;
}

static bool attention(Config *config, const Described *d)
{
    bool down[CONFIG_MAX_LEVELS] = {0}, up[CONFIG_MAX_LEVELS] = {0};
    const int levels = config->model.levels;
    if (!block_types(d, "down_block_types", "Down", levels, down) ||
        !block_types(d, "up_block_types", "Up", levels, up))
        return false;
    config->model.attentions = 0;
    for (int i = 0; i < levels; i++) {
        if (down[i] != up[levels - 1 - i])
            return error_input(d->error,
                               "%s: attention differs on the way down and up at level %d, expected "
                               "the same",
                               d->path, i);
        if (down[i])
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

static bool resolution(Config *config, const Described *d, int64_t wanted)
{
    int size = 0;
    if (wanted == 0 && json_is_absent(json_member(d->json, "sample_size")))
        return error_input(d->error, "%s: has no sample_size; --resolution N says it", d->path);
    if (wanted == 0 && !described_integer(d, "sample_size", 0, 4, 1024, &size))
        return false;
    config->data.resolution = wanted > 0 ? (int)wanted : size;
    return true;
}

static bool images(Config *config, const Described *d)
{
    int out = 0;
    if (!described_integer(d, "in_channels", 3, 1, 64, &config->data.channels) ||
        !described_integer(d, "out_channels", 3, 1, 128, &out))
        return false;
    return out == config->data.channels ||
           error_input(d->error, "%s: out_channels is %d, expected %d as in_channels", d->path, out,
                       config->data.channels);
}

/* Options that change the network in a way that is not known here. */
static bool fixed_options(const Described *d)
{
    return described_text_is(d, "_class_name", "UNet2DModel", "UNet2DUnconditionalModel") &&
           described_is_absent(d, "num_class_embeds") &&
           described_is_absent(d, "class_embed_type") &&
           described_text_is(d, "time_embedding_type", "positional", NULL) &&
           described_text_is(d, "act_fn", "silu", "swish") &&
           described_text_is(d, "downsample_type", "conv", NULL) &&
           described_text_is(d, "upsample_type", "conv", NULL) &&
           described_number_is(d, "mid_block_scale_factor", 1, 1) &&
           described_truth_is(d, "center_input_sample", false, false) &&
           described_truth_is(d, "add_attention", true, true) &&
           described_is_absent(d, "attn_norm_num_groups") &&
           described_text_is(d, "resnet_time_scale_shift", "default", NULL);
}

/* Options in which the class's defaults are not google's. */
static bool variants(const Described *d)
{
    return described_is_absent(d, "attention_head_dim") &&
           described_number_is(d, "norm_eps", 1e-5, 1e-6) &&
           described_number_is(d, "freq_shift", 0, 1) &&
           described_truth_is(d, "flip_sin_to_cos", true, false) &&
           described_number_is(d, "downsample_padding", 1, 0);
}

bool diffusers_network(Config *config, const Json *json, const char *path, int64_t wanted,
                       Error *error)
{
    const Described d = {.json = json, .path = path, .error = error};
    return fixed_options(&d) && variants(&d) && images(config, &d) &&
           resolution(config, &d, wanted) && widths(config, &d) &&
           described_integer(&d, "layers_per_block", 2, 1, 16, &config->model.res_blocks) &&
           described_integer(&d, "norm_num_groups", 32, 1, 1024, &config->model.norm_groups) &&
           described_number(&d, "dropout", 0, &config->model.dropout) && attention(config, &d);
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

static bool betas(Config *config, const Described *d)
{
    static const char *const kinds[] = {"linear", "squaredcos_cap_v2", "scaled_linear", "sigmoid"};
    int kind;
    double start, end;
    if (!described_is_absent(d, "trained_betas") ||
        !described_truth_is(d, "rescale_betas_zero_snr", false, false) ||
        !choice(d, "beta_schedule", kinds, 4, &kind) ||
        !described_integer(d, "num_train_timesteps", 1000, 2, SCHEDULE_MAX_TIMESTEPS,
                           &config->diffusion.timesteps) ||
        !described_number(d, "beta_start", 1e-4, &start) ||
        !described_number(d, "beta_end", 0.02, &end))
        return false;
    config->diffusion.schedule = (ScheduleKind)kind;
    /* The betas of diffusers do not change with N. */
    const bool ours = kind == SCHEDULE_COSINE ||
                      (start == 1e-4 && end == 0.02 && config->diffusion.timesteps == 1000);
    config->diffusion.beta_start = ours ? 0 : start;
    config->diffusion.beta_end = ours ? 0 : end;
    return true;
}

bool diffusers_schedule(Config *config, const Json *json, const char *path, Error *error)
{
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample"};
    static const char *const variances[] = {"fixed_small", "fixed_large", "fixed_small_log",
                                            "fixed_large_log"};
    const Described d = {.json = json, .path = path, .error = error};
    int predicts, variance;
    if (!betas(config, &d) || !choice(&d, "prediction_type", predictions, 3, &predicts) ||
        !choice(&d, "variance_type", variances, 4, &variance))
        return false;
    config->model.predicts = (Predicts)predicts;
    config->stage1.variance = variance % 2 == 1 ? FIXED_BETA : FIXED_BETA_TILDE;
    config->model.time =
        config->diffusion.timesteps == 1000 ? MODEL_TIME_T_MINUS_1 : MODEL_TIME_INDEX;
    return true;
}
