/* Which files belong to a network of another program: weights, and descriptions beside them. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

typedef struct ForeignFiles {
    /* The file of weights. */
    char *weights;
    /* Whether the weights are a moving average, by the name of their folder. */
    bool average;
    /* The description of the network, and of its noise schedule; NULL if there is none. */
    char *config, *scheduler;
} ForeignFiles;

/* Finds the files for `path`: a file of weights, or a folder as diffusers writes it, in which unet/
 * and scheduler/ are folders or everything lies side by side, or as Extended-Analytic-DPM does, with
 * ema_models_states/model.pth. `config`: the description that the
 * user names, or NULL. */
bool foreign_files_find(ForeignFiles *files, const char *path, const char *config, Error *error);
void foreign_files_free(ForeignFiles *files);
