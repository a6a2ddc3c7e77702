/* The U-Net (Ho et al. 2020; Dhariwal & Nichol 2021): the epsilon-network, and the trunk on whose
 * features the variance heads sit. Keys of the section `model` say the differences between the
 * families (config/config_network.h).
 *
 * Parameter names are those of the DDPM reference network in PyTorch
 * ("down.0.block.0.norm1.weight").
 */
#pragma once

#include "config/config.h"
#include "engine/graph.h"

/* The sinusoidal embedding of a time. */
typedef struct TimeEmbedding {
    int channels;
    /* Whether cosines come first, and not sines. */
    bool cosines_first;
    /* Frequency k of `half` is 10000 to the power of -k / (half - freq_shift). */
    int freq_shift;
} TimeEmbedding;

TimeEmbedding unet_time_embedding(const Config *config);

typedef struct UNet {
    /* Of `time`. */
    TimeEmbedding embedding;
    /* Inputs: x_t [n, size, size, image channels], size being data.resolution, and the embedded
     * times [n, 1, 1, channels] (unet_embed_times). */
    Value *x, *time;
    /* Kept, [n, 1, 1, 4 channels]: the time embedding after the second dense layer. */
    Value *temb;
    /* Kept, [n, size, size, channels * channel_mult[0]]: the tensor that enters norm_out. */
    Value *features;
    /* Kept, [n, size, size, image channels]: the predicted noise. */
    Value *eps;
    /* Kept, of the same shape: the raw output of a network that learns its variance. NULL for
     * others. */
    Value *v;
} UNet;

/* Builds the network of `config` (data and model sections) in an empty graph. */
UNet unet_build(Graph *graph, const Config *config);

/* out [count, channels] := the embedding of `count` model times (schedule_model_time). Sines of the
 * time times frequencies that fall geometrically from 1, then cosines, or the other way round, then
 * a zero if channels is odd. Computed in double, rounded once. */
void unet_embed_times(const double *model_times, int count, TimeEmbedding embedding, float *out);

/* The residual block of the network, which a complex head has too: [n, h, w, c] -> [n, h, w,
 * channels]. `temb` is already SiLU(temb), [n, 1, 1, 4 * config channels]; parameters are named
 * "<name>.norm1.weight"... */
Value *unet_residual_block(Graph *graph, const Config *config, Value *x, Value *temb,
                           const char *name, int channels);
