/* Small U-Nets of odd shapes, as graphs under test (network.h). */
#pragma once

#include "model/unet.h"
#include "tests/network.h"

typedef struct SmallUNet {
    const char *what;
    int batch, image_channels, resolution;
    int levels, channel_mult[3];
    int res_blocks, attention; /* attention: the resolution, or 0 */
} SmallUNet;

/* The resolutions go 12, 6 and 28, 14, 7, with attention at the lowest. Groups have two channels at
 * least: a group of one would hide the time. */
static const SmallUNet small_unets[] = {
    {"1 channel, 12x12, batch 3", 3, 1, 12, 2, {1, 2}, 1, 6},
    {"2 channels, 28x28, batch 1", 1, 2, 28, 3, {1, 1, 2}, 1, 7},
};
enum {
    SMALL_UNETS = sizeof small_unets / sizeof small_unets[0],
    SMALL_CHANNELS = 12,
    SMALL_GROUPS = 6
};

static inline Config small_config(const SmallUNet *small)
{
    Config config;
    config_defaults(&config);
    config.data.channels = small->image_channels;
    config.data.resolution = small->resolution;
    config.model.channels = SMALL_CHANNELS;
    config.model.levels = small->levels;
    for (int i = 0; i < small->levels; i++)
        config.model.channel_mult[i] = small->channel_mult[i];
    config.model.res_blocks = small->res_blocks;
    config.model.attentions = small->attention > 0;
    config.model.attention[0] = small->attention;
    config.model.dropout = 0.1;
    config.model.norm_groups = SMALL_GROUPS;
    return config;
}

/* The embedded times of `batch` images, the second input: 100, 400, 700, ... of 1000. */
static inline void small_times(Network *net, TimeEmbedding embedding)
{
    double times[8];
    for (int i = 0; i < net->options.batch; i++)
        times[i] = 100 + 300 * i;
    unet_embed_times(times, net->options.batch, embedding, net->x[1]);
}

static inline void network_add_input(Network *net, Value *input)
{
    ck_assert_int_lt(net->inputs, NETWORK_INPUTS);
    net->input[net->inputs++] = input;
}

/* The U-Net of `config`, with random weights, images and fixed times. */
static inline UNet network_unet(Network *net, const Config *config, GraphOptions options)
{
    network_begin(net, options);
    UNet unet = unet_build(net->graph, config);
    network_add_input(net, unet.x);
    network_add_input(net, unet.time);
    network_finish(net, unet.eps);
    small_times(net, unet.embedding);
    return unet;
}
