/* Replaces `auto` by the value of the family. */
#include "config/config_network.h"

NetworkKind config_network_kind(const Config *config)
{
    const bool adm = config->model.family == FAMILY_ADM;
    const int time_into = config->model.time_into, resampling = config->model.resampling;
    const int padding = config->model.down_padding, embedding = config->model.embedding;
    const int freq_shift = config->model.freq_shift;
    return (NetworkKind){
        .scale_shift = time_into == TIME_INTO_AUTO ? adm : time_into == TIME_INTO_SCALE_SHIFT,
        .block_resampling = resampling == RESAMPLING_AUTO ? adm : resampling == RESAMPLING_BLOCK,
        .down_pad_begin = padding == PADDING_AUTO ? adm : padding == PADDING_BOTH,
        .norm_eps = config->model.norm_eps > 0 ? config->model.norm_eps : (adm ? 1e-5 : 1e-6),
        .cosines_first = embedding == EMBEDDING_AUTO ? adm : embedding == EMBEDDING_COS_SIN,
        .freq_shift = freq_shift == FREQ_SHIFT_AUTO ? !adm : freq_shift == FREQ_SHIFT_1,
    };
}

int config_heads(const Config *config, int channels)
{
    const int width = config->model.head_channels;
    const int heads = width > 0 ? channels / width : config->model.heads;
    return heads > 0 && channels % heads == 0 && (width == 0 || channels == heads * width) ? heads
                                                                                           : 0;
}
