/* The rules between the keys of a configuration.
 *
 * Each value is possible by itself; together they must make a network that the U-Net builder can
 * build and that learns. The first broken rule fills in a Complaint, and the reader (config_load.c)
 * adds the line where the key was written.
 */
#include "config/config_keys.h"
#include "config/config_network.h"
#include "variance/block_covariance.h"

#include <stdio.h>
#include <string.h>

/* Channels of the widest level: two such levels side by side (on the way up) still have fewer than
 * 2^31 weights. */
enum { MAX_WIDTH = 8192 };

#define COMPLAIN(complaint, ...)                                                                   \
    (snprintf((complaint)->expected, sizeof(complaint)->expected, __VA_ARGS__), false)

/* The time embedding has sines and cosines of channels / 2 frequencies, and their spacing divides
 * by channels / 2 - 1. So the number must be even, and at least 4 (which the table checks). */
static bool check_embedding(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "model.channels"};
    if (config->model.channels % 2 != 0)
        return COMPLAIN(complaint, "an even number (the time embedding has sines and cosines)");
    return true;
}

/* Every way down halves the resolution. */
static bool check_resolution(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "data.resolution", .others = {"model.channel_mult"}};
    int divisor = 1 << (config->model.levels - 1);
    if (config->data.resolution % divisor != 0)
        return COMPLAIN(complaint, "a multiple of %d (model.channel_mult has %d levels)", divisor,
                        config->model.levels);
    return true;
}

static bool check_width(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "model.channel_mult", .others = {"model.channels"}};
    for (int i = 0; i < config->model.levels; i++) {
        if (config->model.channels * config->model.channel_mult[i] > MAX_WIDTH)
            return COMPLAIN(complaint,
                            "factors of at most %d (model.channels is %d, and a level "
                            "has at most %d channels)",
                            MAX_WIDTH / config->model.channels, config->model.channels, MAX_WIDTH);
    }
    return true;
}

static bool check_attention(const Config *config, Complaint *complaint)
{
    *complaint =
        (Complaint){.key = "model.attention", .others = {"data.resolution", "model.channel_mult"}};
    char levels[CONFIG_MAX_LEVELS * 16] = "";
    int used = 0;
    for (int i = 0; i < config->model.levels; i++)
        used += snprintf(levels + used, sizeof levels - (size_t)used, "%s%d", i > 0 ? ", " : "",
                         config->data.resolution >> i);

    for (int i = 0; i < config->model.attentions; i++) {
        bool found = false;
        for (int level = 0; level < config->model.levels; level++)
            found = found || config->model.attention[i] == config->data.resolution >> level;
        if (!found)
            return COMPLAIN(complaint, "resolutions of levels, which are %s", levels);
    }
    return true;
}

static bool attends(const Config *config, int level)
{
    for (int i = 0; i < config->model.attentions; i++)
        if (config->model.attention[i] == config->data.resolution >> level)
            return true;
    return level == config->model.levels - 1; /* the middle */
}

static bool check_heads(const Config *config, Complaint *complaint)
{
    const bool widths = config->model.head_channels > 0;
    *complaint = (Complaint){.key = widths ? "model.head_channels" : "model.heads",
                             .others = {"model.channels", "model.channel_mult", "model.attention"}};
    for (int i = 0; i < config->model.levels; i++) {
        const int channels = config->model.channels * config->model.channel_mult[i];
        if (attends(config, i) && config_heads(config, channels) == 0)
            return COMPLAIN(complaint, "a divisor of %d, the channels of attention at level %d",
                            channels, i);
    }
    return true;
}

/* Group norms have model.channels channels (in the first block), multiples of it (in the levels),
 * or sums of those (after concatenations on the way up). A divisor of model.channels divides them
 * all, and the first block has the smallest groups.
 *
 * Where the time embedding is added, a group of one channel makes the block blind to t: it is one
 * number per channel, which the group subtracts again with its mean. A network that another program trained,
 * which is told t - 1, may have such groups all the same. */
static bool check_norm(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "model.norm_groups", .others = {"model.channels"}};
    int channels = config->model.channels;
    const bool adds = !config_network_kind(config).scale_shift;
    if (adds && config->model.time == MODEL_TIME_T && 2 * config->model.norm_groups > channels)
        return COMPLAIN(complaint,
                        "at most %d, two channels of model.channels = %d in each group "
                        "(a group of one subtracts the time embedding along with its mean, and "
                        "the block is blind to t)",
                        channels / 2, channels);
    if (channels % config->model.norm_groups != 0)
        return COMPLAIN(complaint, "a divisor of model.channels = %d", channels);
    return true;
}

static bool check_timesteps(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "diffusion.timesteps", .others = {"diffusion.schedule"}};
    int fewest =
        config->diffusion.beta_end > 0 ? 2 : schedule_min_timesteps(config->diffusion.schedule);
    if (config->diffusion.timesteps < fewest)
        return COMPLAIN(complaint, "an integer from %d to %d for a %s schedule", fewest,
                        SCHEDULE_MAX_TIMESTEPS, schedule_kind_name(config->diffusion.schedule));
    return true;
}

/* Betas stand for the whole schedule. */
static bool check_betas(const Config *config, Complaint *complaint)
{
    const int count = config->diffusion.beta_count;
    const bool wanted = config->diffusion.schedule == SCHEDULE_BETAS;
    *complaint = (Complaint){.key = "diffusion.betas",
                             .others = {"diffusion.schedule"},
                             .is_missing = wanted && count == 0};
    if (wanted && count == 0)
        return COMPLAIN(complaint,
                        "the betas, or a file of them, since diffusion.schedule is betas");
    *complaint = (Complaint){.key = "diffusion.schedule", .others = {"diffusion.betas"}};
    if (!wanted && count > 0)
        return COMPLAIN(complaint, "betas, since diffusion.betas has %d numbers", count);
    *complaint = (Complaint){.key = "diffusion.timesteps", .others = {"diffusion.betas"}};
    if (wanted && count != config->diffusion.timesteps)
        return COMPLAIN(complaint, "%d, the numbers of diffusion.betas", count);
    return true;
}

/* A format may fix the number of channels. A configuration that names no files, as a checkpoint may
 * hold, describes a model alone. */
static bool check_data(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "data.channels", .others = {"data.format"}};
    const DataFormatFacts *format = &data_formats[config->data.format];
    const bool names_files = config->data.train[0] != '\0' || config->data.test[0] != '\0';
    if (format->channels != 0 && names_files && config->data.channels != format->channels)
        return COMPLAIN(complaint, "%d, since data.format is %s", format->channels, format->name);
    return true;
}

/* Only the last layer is linear in its weights. */
static bool check_solver(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "stage2.solver", .others = {"head.type"}};
    if (config->stage2.solver == SOLVER_EXACT && config->head.type == HEAD_COMPLEX)
        return COMPLAIN(complaint, "adam, since head.type is complex: exact solves simple heads");
    *complaint = (Complaint){.key = "stage2.time_bins", .others = {"diffusion.timesteps"}};
    if (config->stage2.time_bins > config->diffusion.timesteps)
        return COMPLAIN(complaint, "at most %d, one for each timestep",
                        config->diffusion.timesteps);
    return true;
}

/* Sets the whole field, so that equal configurations have equal bytes. */
static void set_test(Config *config, const char *path)
{
    memset(config->data.test, 0, sizeof config->data.test);
    strcpy(config->data.test, path);
}

/* A block has all channels of its pixels. */
static bool check_correlation(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "stage2.correlation", .others = {"data.channels"}};
    const int size = config_block_size(config);
    if (size * size * config->data.channels > BLOCK_MOST_ROWS)
        return COMPLAIN(complaint, "auto or none: a block may have %d elements, and has %d",
                        BLOCK_MOST_ROWS, size * size * config->data.channels);
    return true;
}

/* hybrid trains the second output, so there must be one. */
static bool check_objective(const Config *config, Complaint *complaint)
{
    *complaint = (Complaint){.key = "model.learned", .others = {"stage1.objective"}};
    if (config->stage1.objective == STAGE1_HYBRID && config->model.learned == LEARNED_NONE)
        return COMPLAIN(complaint, "range, since stage1.objective is hybrid");
    return true;
}

bool config_choose_files(Config *config, GivenData given, Complaint *complaint)
{
    Config defaults;
    config_defaults(&defaults);
    const bool default_images =
        (config->data.format == defaults.data.format || config->data.format == DATA_IDX) &&
        config->data.channels == defaults.data.channels &&
        config->data.resolution == defaults.data.resolution;
    if ((given.train && given.test) || (default_images && !given.train && !given.test))
        return true;

    const DataFormatFacts *format = &data_formats[config->data.format];
    if (given.train && format->has_files) {
        set_test(config, config->data.train[0] ? CONFIG_TEST_AUTO : "");
        return true;
    }
    if (given.format && format->has_files) {
        *complaint =
            (Complaint){.key = "data.train", .others = {"data.format"}, .is_missing = true};
        return COMPLAIN(complaint, "a path since data.format is %s (\"\" for none)", format->name);
    }
    if (!given.train)
        memset(config->data.train, 0, sizeof config->data.train);
    if (!given.test)
        set_test(config, "");
    return true;
}

bool config_check(const Config *config, Complaint *complaint)
{
    return check_embedding(config, complaint) && check_resolution(config, complaint) &&
           check_width(config, complaint) && check_attention(config, complaint) &&
           check_heads(config, complaint) && check_norm(config, complaint) &&
           check_timesteps(config, complaint) && check_betas(config, complaint) &&
           check_data(config, complaint) && check_solver(config, complaint) &&
           check_correlation(config, complaint) && check_objective(config, complaint);
}
