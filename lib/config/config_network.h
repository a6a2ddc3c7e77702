/* The kind of a network: what the keys of the section `model` that may be `auto` say together.
 *
 *                    ddpm (Ho et al. 2020)       adm (Dhariwal & Nichol 2021)
 *     time_into      add                         scale_shift
 *     resampling     conv                        block
 *     down_padding   end                         both
 *     norm_eps       1e-6                        1e-5
 *     embedding      sin_cos                     cos_sin
 *     freq_shift     1                           0
 */
#pragma once

#include "config/config.h"

typedef struct NetworkKind {
    /* Whether the time embedding scales and shifts what the second norm of a block gives. Otherwise
     * it is added before that norm. */
    bool scale_shift;
    /* Whether a residual block changes the resolution. Otherwise it is a convolution. */
    bool block_resampling;
    /* Rows and columns of zeros above and on the left where a convolution halves the resolution.
     * Below and on the right there is always one. */
    int down_pad_begin;
    double norm_eps;
    bool cosines_first;
    /* 1: the frequencies of the time embedding fall to 1/10000 inclusive; 0: exclusive. */
    int freq_shift;
} NetworkKind;

NetworkKind config_network_kind(const Config *config);

/* The heads of an attention layer with that many channels; 0 if they do not divide the channels. */
int config_heads(const Config *config, int channels);
