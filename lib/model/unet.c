/* Builds the U-Net, level by level: down, the middle, and up again with the skips of the way down.
 *
 * The order of the calls is the order of the layers in the paper's figure, and the names are those
 * of the reference network's state dict.
 */
#include "model/unet.h"

#include "config/config_network.h"
#include "layers/layers.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* The deepest stack of skips: conv_in, and per level res_blocks blocks and one downsampling. */
enum { MAX_SKIPS = 1 + CONFIG_MAX_LEVELS * (16 + 1) };

typedef struct Name {
    char text[PARAM_NAME_SIZE];
} Name;

__attribute__((format(printf, 1, 2))) static Name name_of(const char *format, ...)
{
    Name name;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name.text, sizeof name.text, format, arguments);
    va_end(arguments);
    return name;
}

static Value *conv3x3(Graph *g, Value *x, const char *name, int channels, Value *residual)
{
    return nn_conv2d(g, x, name, channels,
                     (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1, .residual = residual});
}

static Norm norm_of(const Config *config, bool silu)
{
    return (Norm){.groups = config->model.norm_groups,
                  .epsilon = config_network_kind(config).norm_eps,
                  .silu = silu};
}

typedef enum Resample { RESAMPLE_NONE, RESAMPLE_DOWN, RESAMPLE_UP } Resample;

static Value *resampled(Graph *g, Value *x, Resample resample)
{
    return resample == RESAMPLE_DOWN ? nn_average_pool(g, x)
           : resample == RESAMPLE_UP ? nn_upsample(g, x)
                                     : x;
}

/* A block that changes the resolution does so between its first norm and its first convolution, and
 * on its shortcut. */
static Value *residual_block(Graph *g, const Config *config, Value *x, Value *temb,
                             const char *name, int channels, Resample resample)
{
    const bool scale_shift = config_network_kind(config).scale_shift;
    Value *h = nn_group_norm(g, x, name_of("%s.norm1", name).text, norm_of(config, true));
    h = resampled(g, h, resample);
    x = resampled(g, x, resample);
    h = conv3x3(g, h, name_of("%s.conv1", name).text, channels, NULL);
    Value *time =
        nn_linear(g, temb, name_of("%s.temb_proj", name).text, (scale_shift ? 2 : 1) * channels);
    Norm norm2 = norm_of(config, true);
    norm2.dropout = config->model.dropout;
    *(scale_shift ? &norm2.modulation : &norm2.shift) = time;
    h = nn_group_norm(g, h, name_of("%s.norm2", name).text, norm2);
    Value *shortcut = x;
    if (value_channels(x) != channels)
        shortcut = nn_conv1x1(g, x, name_of("%s.nin_shortcut", name).text, channels, NULL);
    return conv3x3(g, h, name_of("%s.conv2", name).text, channels, shortcut);
}

Value *unet_residual_block(Graph *g, const Config *config, Value *x, Value *temb, const char *name,
                           int channels)
{
    return residual_block(g, config, x, temb, name, channels, RESAMPLE_NONE);
}

static Value *attention_block(Graph *g, const Config *config, Value *x, const char *name, bool norm)
{
    const int channels = value_channels(x);
    const Name q = name_of("%s.q", name), k = name_of("%s.k", name), v = name_of("%s.v", name);
    const char *names[] = {q.text, k.text, v.text};
    Value *h = x;
    if (norm)
        h = nn_group_norm(g, x, name_of("%s.norm", name).text, norm_of(config, false));
    h = nn_attention(g, nn_conv1x1_stack(g, h, names, 3, channels), config_heads(config, channels));
    return nn_conv1x1(g, h, name_of("%s.proj_out", name).text, channels, x);
}

static bool attends(const Config *config, int resolution)
{
    for (int i = 0; i < config->model.attentions; i++)
        if (config->model.attention[i] == resolution)
            return true;
    return false;
}

/* One block of a level: residual, then attention where the resolution has it. `side` is "down" or
 * "up". */
static Value *level_block(Graph *g, const Config *config, Value *x, Value *temb, const char *side,
                          int level, int block, int channels)
{
    Value *h = unet_residual_block(g, config, x, temb,
                                   name_of("%s.%d.block.%d", side, level, block).text, channels);
    if (attends(config, value_height(h)))
        h = attention_block(g, config, h, name_of("%s.%d.attn.%d", side, level, block).text, true);
    return h;
}

/* From a level to the next lower one. */
static Value *downsample(Graph *g, const Config *config, Value *x, Value *temb, int level)
{
    const NetworkKind kind = config_network_kind(config);
    const int channels = value_channels(x);
    if (kind.block_resampling)
        return residual_block(g, config, x, temb, name_of("down.%d.downsample", level).text,
                              channels, RESAMPLE_DOWN);
    return nn_conv2d(
        g, x, name_of("down.%d.downsample.conv", level).text, channels,
        (Conv){.kernel = 3, .stride = 2, .pad_begin = kind.down_pad_begin, .pad_end = 1});
}

/* From a level to the next higher one. */
static Value *upsample(Graph *g, const Config *config, Value *x, Value *temb, int level)
{
    const int channels = value_channels(x);
    if (config_network_kind(config).block_resampling)
        return residual_block(g, config, x, temb, name_of("up.%d.upsample", level).text, channels,
                              RESAMPLE_UP);
    return conv3x3(g, nn_upsample(g, x), name_of("up.%d.upsample.conv", level).text, channels,
                   NULL);
}

/* An output of the network, of the shape of its images. */
static Value *output(Graph *g, Value *h, const char *name, int channels)
{
    Value *out = nn_conv2d(g, h, name, channels,
                           (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1, .float32 = true});
    graph_keep(g, out);
    return out;
}

static Value *time_embedding(Graph *g, Value *time, int channels)
{
    Value *h = nn_silu(g, nn_linear(g, time, "temb.dense.0", 4 * channels));
    return nn_linear(g, h, "temb.dense.1", 4 * channels);
}

TimeEmbedding unet_time_embedding(const Config *config)
{
    const NetworkKind kind = config_network_kind(config);
    return (TimeEmbedding){config->model.channels, kind.cosines_first, kind.freq_shift};
}

UNet unet_build(Graph *g, const Config *config)
{
    const int base = config->model.channels, levels = config->model.levels;
    const int blocks = config->model.res_blocks, *mult = config->model.channel_mult;
    const int image = config->data.channels, size = config->data.resolution;
    Value *skips[MAX_SKIPS] = {0};
    int skip_count = 0;
    UNet net = {.embedding = unet_time_embedding(config)};

    net.x = graph_input(g, size, size, image);
    net.time = graph_input(g, 1, 1, base);
    net.temb = time_embedding(g, net.time, base);
    Value *temb = nn_silu(g, net.temb); /* what every block reads */

    Value *h = conv3x3(g, net.x, "conv_in", base, NULL);
    skips[skip_count++] = h;
    for (int i = 0; i < levels; i++) {
        for (int j = 0; j < blocks; j++) {
            h = level_block(g, config, h, temb, "down", i, j, base * mult[i]);
            skips[skip_count++] = h;
        }
        if (i + 1 < levels) {
            h = downsample(g, config, h, temb, i);
            skips[skip_count++] = h;
        }
    }

    h = unet_residual_block(g, config, h, temb, "mid.block_1", value_channels(h));
    h = attention_block(g, config, h, "mid.attn_1", config->model.mid_norm);
    h = unet_residual_block(g, config, h, temb, "mid.block_2", value_channels(h));

    for (int i = levels - 1; i >= 0; i--) {
        for (int j = 0; j < blocks + 1; j++)
            h = level_block(g, config, nn_concat(g, h, skips[--skip_count]), temb, "up", i, j,
                            base * mult[i]);
        if (i > 0)
            h = upsample(g, config, h, temb, i);
    }
    assert(skip_count == 0);

    net.features = h;
    h = nn_group_norm(g, h, "norm_out", norm_of(config, true));
    net.eps = output(g, h, "conv_out", image);
    if (config->model.learned != LEARNED_NONE)
        net.v = output(g, h, "conv_out_v", image);
    graph_keep(g, net.temb);
    graph_keep(g, net.features);
    return net;
}

void unet_embed_times(const double *model_times, int count, TimeEmbedding embedding, float *out)
{
    const int channels = embedding.channels, half = channels / 2;
    const int sines = embedding.cosines_first ? half : 0;
    const int cosines = half - sines;
    for (int n = 0; n < count; n++) {
        float *row = out + (size_t)n * (size_t)channels;
        for (int i = 0; i < half; i++) {
            double phase = model_times[n] * exp(-log(10000.0) * i / (half - embedding.freq_shift));
            row[sines + i] = (float)sin(phase);
            row[cosines + i] = (float)cos(phase);
        }
        if (channels % 2)
            row[channels - 1] = 0.0f;
    }
}
