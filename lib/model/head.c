#include "model/head.h"

#include "model/unet.h"
#include "nn/layers.h"

Head head_build(Graph *graph, const Config *config, const Value *features, const Value *temb)
{
    Head head = {.features = graph_input_from(graph, features)};
    Value *h = head.features;
    if (config->head.type == HEAD_COMPLEX) {
        head.temb = graph_input_from(graph, temb);
        h = unet_residual_block(graph, config, h, nn_silu(graph, head.temb), "block",
                                value_channels(features));
    }
    h = nn_group_norm(graph, h, "norm_out",
                      (Norm){.groups = config->model.norm_groups, .silu = true});
    head.out = nn_conv2d(graph, h, "conv_out", config->data.channels,
                         (Conv){.kernel = 3, .pad_begin = 1, .pad_end = 1, .float32 = true});
    graph_keep(graph, head.out);
    return head;
}
