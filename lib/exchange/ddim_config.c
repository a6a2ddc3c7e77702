/* The recipe of ermongroup/ddim: sections data, model, diffusion. */
#include "exchange/descriptions.h"

#include <string.h>

static bool data_section(Config *config, const Described *d)
{
    return described_integer(d, "image_size", 0, 4, 1024, &config->data.resolution) &&
           described_integer(d, "channels", 3, 1, 64, &config->data.channels) &&
           described_truth_is(d, "rescaled", true, true) &&
           described_truth_is(d, "logit_transform", false, false);
}

/* A resolution that no level has changes nothing. */
static void keep_resolutions_of_levels(Config *config)
{
    int kept = 0;
    for (int i = 0; i < config->model.attentions; i++)
        for (int level = 0; level < config->model.levels; level++)
            if (config->data.resolution >> level == config->model.attention[i]) {
                config->model.attention[kept++] = config->model.attention[i];
                break;
            }
    config->model.attentions = kept;
}

static bool model_section(Config *config, const Described *d)
{
    const char *variance = json_get_text(json_member(d->json, "var_type"));
    const int channels = config->data.channels;
    int in, out;
    if (!described_integer(d, "ch", 128, 4, 4096, &config->model.channels) ||
        !described_list(d, "ch_mult", CONFIG_MAX_LEVELS, config->model.channel_mult,
                        &config->model.levels) ||
        !described_integer(d, "num_res_blocks", 2, 1, 16, &config->model.res_blocks) ||
        !described_list(d, "attn_resolutions", CONFIG_MAX_LEVELS, config->model.attention,
                        &config->model.attentions) ||
        !described_number(d, "dropout", 0, &config->model.dropout) ||
        !described_truth_is(d, "resamp_with_conv", true, true) ||
        !described_integer(d, "in_channels", channels, channels, channels, &in) ||
        !described_integer(d, "out_ch", channels, channels, channels, &out))
        return false;
    keep_resolutions_of_levels(config);
    if (variance)
        config->stage1.variance =
            strcmp(variance, "fixedlarge") == 0 ? FIXED_BETA : FIXED_BETA_TILDE;
    return described_text_is(d, "var_type", "fixedsmall", "fixedlarge");
}

static bool diffusion_section(Config *config, const Described *d)
{
    const char *kind = json_get_text(json_member(d->json, "beta_schedule"));
    double start, end;
    if (!described_integer(d, "num_diffusion_timesteps", 1000, 2, SCHEDULE_MAX_TIMESTEPS,
                           &config->diffusion.timesteps) ||
        !described_beta(d, "beta_start", 1e-4, &start) ||
        !described_beta(d, "beta_end", 0.02, &end) ||
        !described_text_is(d, "beta_schedule", "linear", "quad"))
        return false;
    const int timesteps = config->diffusion.timesteps;
    const bool quad = kind && strcmp(kind, "quad") == 0;
    const bool ours = !quad && start == 1e-4 && end == 0.02 && timesteps == 1000;
    config->diffusion.schedule = quad ? SCHEDULE_SCALED_LINEAR : SCHEDULE_LINEAR;
    config->diffusion.beta_start = ours ? 0 : start;
    config->diffusion.beta_end = ours ? 0 : end;
    config->model.time = timesteps == 1000 ? MODEL_TIME_T_MINUS_1 : MODEL_TIME_INDEX;
    return true;
}

bool ddim_recipe(Config *config, const Json *json, const char *path, Error *error)
{
    static const char *const sections[] = {"data", "model", "diffusion"};
    Described d[3];
    for (int i = 0; i < 3; i++) {
        d[i] = (Described){.json = json_member(json, sections[i]), .path = path, .error = error};
        if (!json_is_map(d[i].json))
            return error_input(error, "%s: has no section %s, expected a recipe of ermongroup/ddim",
                               path, sections[i]);
    }
    config->model.norm_groups = 32;
    return data_section(config, &d[0]) && model_section(config, &d[1]) &&
           diffusion_section(config, &d[2]);
}
