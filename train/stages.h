/* The two stages of training (Bao et al. 2022b, section 5).
 *
 * Both build their graphs, describe themselves as a Stage and hand over to the loop.
 */
#pragma once

#include "diffusion/losses.h"
#include "loop.h"

/* Stage 1: trains the eps-network by ||eps - eps_hat||^2 and saves `run`/stage1.h5. */
bool stage1_run(const Config *config, const char *run, const LoopOptions *options, Error *error);

/* Stage 2: loads trunk_ema of `init`, freezes it, and trains a head on its features for each of
 * `losses` [count] (LOSS_SN, LOSS_NPR; in this order of names: npr, sn) on one trunk pass. Saves
 * `run`/stage2-<losses joined by +>.h5, which holds the trunk too. */
bool stage2_run(const Config *config, const char *run, const char *init, const LossKind *losses,
                int count, const LoopOptions *options, Error *error);
