/* The two stages of training (Bao et al. 2022b, section 5).
 *
 * Both build their graphs and describe themselves as a Stage, for the loop to run; stage_free
 * frees them. `config` and the strings must outlive them.
 */
#pragma once

#include "diffusion/losses.h"
#include "train/stage.h"

/* Stage 1: trains the eps-network by ||eps - eps_hat||^2 and saves `run`/stage1.h5. */
bool stage1_make(Stage **stage, const Config *config, const char *run, Error *error);

/* Stage 2: loads trunk_ema of `init` (NULL: a random network, for benchmarks), freezes it, and trains a head on its features for each of
 * `losses` [count] (LOSS_SN, LOSS_NPR; in this order of names: npr, sn) on one trunk pass. Saves
 * `run`/stage2-<losses joined by +>.h5, which holds the trunk too. */
bool stage2_make(Stage **stage, const Config *config, const char *run, const char *init,
                 const LossKind *losses, int count, Error *error);
