/* Builds a head, and reads the outputs of its bins.
 *
 * The bins are banks of one convolution: pixel by pixel, the channels of bin 0, then those of bin
 * 1, and so on. Reading copies the channels of each image's bin; the way back writes them to their
 * place and zeros to all others.
 */
#include "model/head.h"

#include "config/config_network.h"
#include "layers/layers.h"
#include "model/unet.h"

#include <string.h>

static Value *norm_out(Graph *graph, const Config *config, Value *h)
{
    return nn_group_norm(graph, h, "norm_out",
                         (Norm){.groups = config->model.norm_groups,
                                .epsilon = config_network_kind(config).norm_eps,
                                .silu = true});
}

Head head_build(Graph *graph, const Config *config, int bins, const Value *features,
                const Value *temb)
{
    Head head = {.bins = bins, .features = graph_input_from(graph, features)};
    Value *h = head.features;
    if (config->head.type == HEAD_COMPLEX) {
        head.temb = graph_input_from(graph, temb);
        h = unet_residual_block(graph, config, h, nn_silu(graph, head.temb), "block",
                                value_channels(features));
    }
    h = norm_out(graph, config, h);
    head.out = nn_conv2d(graph, h, "conv_out", config->data.channels,
                         (Conv){.kernel = 3,
                                .pad_begin = 1,
                                .pad_end = 1,
                                .float32 = true,
                                .banks = bins > 1 ? bins : 0});
    graph_keep(graph, head.out);
    return head;
}

Value *head_basis_build(Graph *graph, const Config *config, const Value *features)
{
    Value *basis = norm_out(graph, config, graph_input_from(graph, features));
    graph_keep(graph, basis);
    return basis;
}

/* -- Bins ------------------------------------------------------------------------------------- */

/* Channels of a pixel in one bin. */
static size_t pixel_channels(const Head *head)
{
    return (size_t)(value_channels(head->out) / head->bins);
}

static size_t pixels(const Head *head)
{
    return (size_t)value_height(head->out) * (size_t)value_height(head->out); /* square */
}

void head_read(const Head *head, const int *bin, int images, float *out)
{
    const size_t own = pixel_channels(head), all = own * (size_t)head->bins, count = pixels(head);
#pragma omp parallel for
    for (int i = 0; i < images; i++) {
        const float *from = value_data(head->out) + (size_t)i * count * all + (size_t)bin[i] * own;
        float *to = out + (size_t)i * count * own;
        for (size_t p = 0; p < count; p++)
            for (size_t c = 0; c < own; c++)
                to[p * own + c] = from[p * all + c];
    }
}

void head_seed_gradient(const Head *head, const int *bin, const float *gradient)
{
    const size_t own = pixel_channels(head), all = own * (size_t)head->bins, count = pixels(head);
    const int images = (int)(value_count(head->out) / (count * all));
#pragma omp parallel for
    for (int i = 0; i < images; i++) {
        float *to = value_gradient(head->out) + (size_t)i * count * all;
        const float *from = gradient + (size_t)i * count * own;
        memset(to, 0, count * all * sizeof *to);
        for (size_t p = 0; p < count; p++)
            for (size_t c = 0; c < own; c++)
                to[p * all + (size_t)bin[i] * own + c] = from[p * own + c];
    }
}
