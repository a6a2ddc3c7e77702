/* The DDPM U-Net (Ho et al. 2020): the epsilon-network, and the trunk on whose features the
 * variance heads sit.
 *
 * Parameter names are those of the DDPM reference network in PyTorch
 * ("down.0.block.0.norm1.weight").
 */
#pragma once

#include "config/config.h"
#include "engine/graph.h"

typedef struct UNet {
    /* Inputs: x_t [n, size, size, image channels], size being data.resolution, and the embedded
     * times [n, 1, 1, channels] (unet_embed_times). */
    Value *x, *time;
    /* Kept, [n, 1, 1, 4 channels]: the time embedding after the second dense layer. */
    Value *temb;
    /* Kept, [n, size, size, channels * channel_mult[0]]: the tensor that enters norm_out. */
    Value *features;
    /* Kept, [n, size, size, image channels]: the predicted noise. */
    Value *eps;
} UNet;

/* Builds the network of `config` (data and model sections) in an empty graph. */
UNet unet_build(Graph *graph, const Config *config);

/* The sinusoidal embedding of `count` model times (schedule_model_time: t * 1000 / N), [count,
 * channels]: sines of t times frequencies falling geometrically from 1 to 1/10000 inclusive, then
 * cosines (then a zero if channels is odd). Computed in double, rounded once. */
void unet_embed_times(const double *model_times, int count, int channels, float *out);

/* The residual block of the network, which a complex head has too: [n, h, w, c] -> [n, h, w,
 * channels]. `temb` is already SiLU(temb), [n, 1, 1, 4 * config channels]; parameters are named
 * "<name>.norm1.weight"... */
Value *unet_residual_block(Graph *graph, const Config *config, Value *x, Value *temb,
                           const char *name, int channels);
