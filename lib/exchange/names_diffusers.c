/* The names of diffusers' UNet2DModel. */
#include "exchange/names_internal.h"

#include "base/memory.h"

#include <stdio.h>

/* Inside a residual block, and inside attention. Other parts have the same names. */
static const NamePair block_parts[] = {{"temb_proj", "time_emb_proj"},
                                       {"nin_shortcut", "conv_shortcut"}};
static const NamePair attention_parts[] = {
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}};
static const NamePair old_attention_parts[] = {{"norm", "group_norm"},
                                               {"q", "query"},
                                               {"k", "key"},
                                               {"v", "value"},
                                               {"proj_out", "proj_attn"}};
/* The second output of ours is the second half of one output there. */
static const NamePair whole_parts[] = {{"temb.dense.0", "time_embedding.linear_1"},
                                       {"temb.dense.1", "time_embedding.linear_2"},
                                       {"norm_out", "conv_norm_out"},
                                       {"conv_out_v", "conv_out"}};

#define PAIRS(array) array, sizeof(array) / sizeof(array)[0]

char *names_diffusers(const Config *config, const char *ours, bool old)
{
    const NamePlace place = names_place(ours);
    char level[32] = "mid_block", before[64];
    if (place.level >= 0)
        snprintf(level, sizeof level, "%s.%d", place.down ? "down_blocks" : "up_blocks",
                 place.down ? place.level : config->model.levels - 1 - place.level);
    switch (place.kind) {
    case PLACE_BLOCK:
        snprintf(before, sizeof before, "%s.resnets.%d", level, place.index);
        return names_join(before, PAIRS(block_parts), place.rest);
    case PLACE_ATTENTION:
        snprintf(before, sizeof before, "%s.attentions.%d", level, place.index);
        return old ? names_join(before, PAIRS(old_attention_parts), place.rest)
                   : names_join(before, PAIRS(attention_parts), place.rest);
    case PLACE_SAMPLE:
        snprintf(before, sizeof before, "%s.%s.0", level,
                 place.down ? "downsamplers" : "upsamplers");
        return names_join(before, PAIRS(block_parts), place.rest);
    case PLACE_WHOLE:
        break;
    }
    return names_join("", PAIRS(whole_parts), ours);
}
