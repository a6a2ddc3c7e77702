/* What the command line of `train` says, and the configuration that it means: a recipe, the overrides,
 * what images of one's own change, and the precision. */
#pragma once

#include "base/options.h"
#include "config/config.h"
#include "train/loop.h"
#include "train/stages.h"

typedef struct Settings {
    int64_t stage, threads;
    const char *loss, *config, *run, *init, *heads, *seed;
    /* PrecisionChoice and ConvolutionChoice; -1: as the configuration says. */
    int precision, convolution;
    StringList overrides;
    LoopOptions loop;
    bool help, version;
} Settings;

/* From now on notes go to stderr, unless --quiet was given. */
void settings_show_notes(const Settings *settings);

/* The configuration of the command, the same in all processes. The task has no losses in stage 1.
 * *reason := why the precision was chosen, in the first process; NULL: by its processor. Input error. */
bool settings_load(const Settings *settings, const Stage2Task *task, Config *config,
                   const char **reason, Error *error);
