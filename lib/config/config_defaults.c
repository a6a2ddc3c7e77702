/* The defaults of all keys, and what the defaults of stage 2 stand for. */
#include "config/config_keys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Sets a default as a value of a file is set: a list, "[1, 2, 2]", by its items. */
static void set_default(const ConfigKey *key, Config *config)
{
    char text[CONFIG_TEXT_SIZE];
    const char *items[CONFIG_MAX_LEVELS] = {text};
    int count = key->type == KEY_LIST || key->type == KEY_REALS ? 0 : 1;
    snprintf(text, sizeof text, "%s", key->fallback);
    if (key->type == KEY_LIST) {
        char *rest = NULL;
        for (char *item = strtok_r(text, "[], ", &rest); item && count < CONFIG_MAX_LEVELS;
             item = strtok_r(NULL, "[], ", &rest))
            items[count++] = item;
    }
    bool possible = config_key_set(key, config, items, count);
    assert(possible);
    (void)possible;
}

void config_defaults(Config *config)
{
    memset(config, 0, sizeof *config);
    for (int i = 0; i < config_key_count; i++)
        set_default(&config_keys[i], config);
}

void config_resolve(Config *config)
{
    if (config->stage2.solver == SOLVER_AUTO)
        config->stage2.solver = config->head.type == HEAD_SIMPLE ? SOLVER_EXACT : SOLVER_ADAM;
    if (config->stage2.time_bins == 0 && config->stage2.solver == SOLVER_ADAM)
        config->stage2.time_bins = 1;
}

int config_block_size(const Config *config)
{
    static const int sizes[] = {[CORRELATION_NONE] = 0,
                                [CORRELATION_BLOCK2] = 2,
                                [CORRELATION_BLOCK4] = 4,
                                [CORRELATION_BLOCK8] = 8,
                                [CORRELATION_AUTO] = 0};
    return sizes[config->stage2.correlation];
}

TimeBins config_bins(const Config *config)
{
    const int bins = config->stage2.time_bins, timesteps = config->diffusion.timesteps;
    return bins > 0 ? time_bins_even(bins, timesteps) : time_bins_usual(timesteps);
}
