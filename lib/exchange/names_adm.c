/* The names of improved- and guided-diffusion: everything on the way down is in one list,
 * input_blocks, and everything on the way up in another. A change of the resolution is an entry of
 * its own on the way down, and the last part of a level's last entry on the way up. */
#include "exchange/names_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const NamePair block_parts[] = {
    {"norm1", "in_layers.0"},  {"conv1", "in_layers.2"},  {"temb_proj", "emb_layers.1"},
    {"norm2", "out_layers.0"}, {"conv2", "out_layers.3"}, {"nin_shortcut", "skip_connection"}};
/* Queries, keys and values are one tensor there. */
static const NamePair attention_parts[] = {{"q", "qkv"}, {"k", "qkv"}, {"v", "qkv"}};
static const NamePair down_parts[] = {{"conv", "op"}};
static const NamePair whole_parts[] = {{"temb.dense.0", "time_embed.0"},
                                       {"temb.dense.1", "time_embed.2"},
                                       {"conv_in", "input_blocks.0.0"},
                                       {"norm_out", "out.0"},
                                       {"conv_out", "out.2"},
                                       {"conv_out_v", "out.2"}};
/* Of a head of Extended-Analytic-DPM, a list of layers. A complex head begins with a block. */
static const NamePair simple_head_parts[] = {{"norm_out", "out2.0"}, {"conv_out", "out2.2"}};
static const NamePair complex_head_parts[] = {{"norm_out", "out2.1"}, {"conv_out", "out2.3"}};

#define PAIRS(array) array, sizeof(array) / sizeof(array)[0]

static bool attends(const Config *config, int level)
{
    for (int i = 0; i < config->model.attentions; i++)
        if (config->model.attention[i] == config->data.resolution >> level)
            return true;
    return false;
}

/* "input_blocks.3.1": the list, the entry, and the part of it. */
typedef struct Prefix {
    char text[64];
} Prefix;

static Prefix prefix_of(const Config *config, const NamePlace *place)
{
    const int blocks = config->model.res_blocks, levels = config->model.levels;
    const int attention = place->kind == PLACE_ATTENTION;
    const bool sample = place->kind == PLACE_SAMPLE;
    Prefix prefix;
    if (place->level < 0)
        snprintf(prefix.text, sizeof prefix.text, "middle_block.%d",
                 attention ? 1 : 2 * place->index);
    else if (place->down)
        snprintf(prefix.text, sizeof prefix.text, "input_blocks.%d.%d",
                 sample ? (place->level + 1) * (blocks + 1)
                        : 1 + place->level * (blocks + 1) + place->index,
                 attention);
    else
        snprintf(prefix.text, sizeof prefix.text, "output_blocks.%d.%d",
                 (levels - 1 - place->level) * (blocks + 1) + (sample ? blocks : place->index),
                 sample ? 1 + attends(config, place->level) : attention);
    return prefix;
}

char *names_adm(const Config *config, const char *ours)
{
    const NamePlace place = names_place(ours);
    if (place.kind == PLACE_WHOLE)
        return names_join("", PAIRS(whole_parts), ours);
    const Prefix prefix = prefix_of(config, &place);
    const char *rest;
    if (place.kind == PLACE_ATTENTION)
        return names_join(prefix.text, PAIRS(attention_parts), place.rest);
    if (place.down && names_replaced(PAIRS(down_parts), place.rest, &rest))
        return names_join(prefix.text, PAIRS(down_parts), place.rest);
    return names_join(prefix.text, PAIRS(block_parts), place.rest);
}

char *names_adm_head(bool complex, const char *ours)
{
    static const char block[] = "block.";
    if (complex && strncmp(ours, block, sizeof block - 1) == 0)
        return names_join("out2.0", PAIRS(block_parts), ours + sizeof block - 1);
    return complex ? names_join("", PAIRS(complex_head_parts), ours)
                   : names_join("", PAIRS(simple_head_parts), ours);
}
