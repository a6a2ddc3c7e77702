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
 * In the first process *reason := why the precision was chosen, NULL: by its processor; and *origin :=
 * the file of the run whose recipe it is, for memory_free, NULL: it is a recipe of configs/ or of the
 * user. Input error. */
bool settings_load(const Settings *settings, const Stage2Task *task, Config *config,
                   const char **reason, char **origin, Error *error);
