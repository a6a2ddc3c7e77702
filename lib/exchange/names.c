/* Our names are taken apart at the dots: side, level, kind, index, and the rest. Each program puts
 * them together in its own way. */
#include "exchange/names.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char module[] = "module.";

const char *names_of_style(NameStyle style)
{
    static const char *const names[] = {"ddpm", "diffusers", "diffusers (older names)", "unknown"};
    return names[style];
}

int names_find(const TensorTable *table, int group, const char *name)
{
    const int found = tensor_find(table, group, name);
    if (found >= 0)
        return found;
    char *prefixed = memory_format("%s%s", module, name);
    const int index = tensor_find(table, group, prefixed);
    memory_free(prefixed);
    return index;
}

NameStyle names_find_style(const TensorTable *table, int group)
{
    if (names_find(table, group, "temb.dense.0.weight") >= 0 &&
        names_find(table, group, "down.0.block.0.norm1.weight") >= 0)
        return NAMES_DDPM;
    if (names_find(table, group, "time_embedding.linear_1.weight") >= 0 &&
        names_find(table, group, "down_blocks.0.resnets.0.norm1.weight") >= 0)
        return names_find(table, group, "mid_block.attentions.0.query.weight") >= 0
                   ? NAMES_DIFFUSERS_OLD
                   : NAMES_DIFFUSERS;
    return NAMES_UNKNOWN;
}

/* -- diffusers --------------------------------------------------------------------------------- */

typedef struct Pair {
    const char *ours, *theirs;
} Pair;

/* Inside a residual block, and inside attention. Other parts have the same names. */
static const Pair block_parts[] = {{"temb_proj", "time_emb_proj"},
                                   {"nin_shortcut", "conv_shortcut"}};
static const Pair attention_parts[] = {
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}};
static const Pair old_attention_parts[] = {{"norm", "group_norm"},
                                           {"q", "query"},
                                           {"k", "key"},
                                           {"v", "value"},
                                           {"proj_out", "proj_attn"}};
static const Pair whole_parts[] = {{"temb.dense.0", "time_embedding.linear_1"},
                                   {"temb.dense.1", "time_embedding.linear_2"},
                                   {"norm_out", "conv_norm_out"},
                                   {"mid.block_1", "mid_block.resnets.0"},
                                   {"mid.block_2", "mid_block.resnets.1"},
                                   {"mid.attn_1", "mid_block.attentions.0"}};

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

/* "q.weight" becomes "to_q.weight": the pair whose `ours` the text begins with, up to a dot.
 * *rest := the text from that dot on. Without a pair the result is NULL, and *rest the text. */
static const char *replaced(const Pair *pairs, int count, const char *text, const char **rest)
{
    for (int i = 0; i < count; i++) {
        const size_t length = strlen(pairs[i].ours);
        if (strncmp(text, pairs[i].ours, length) == 0 && text[length] == '.') {
            *rest = text + length;
            return pairs[i].theirs;
        }
    }
    *rest = text;
    return NULL;
}

/* "block.0" and the like, with the name of the part that follows. */
static char *part_of(const char *before, bool attention, bool old, const char *part)
{
    const char *rest;
    const char *name = !attention ? replaced(block_parts, COUNT(block_parts), part, &rest)
                       : old
                           ? replaced(old_attention_parts, COUNT(old_attention_parts), part, &rest)
                           : replaced(attention_parts, COUNT(attention_parts), part, &rest);
    return memory_format("%s.%s%s", before, name ? name : "", rest);
}

/* The text after "WORD" and a number with its dot, "block.3."; NULL if `text` does not begin so. */
static const char *after_number(const char *text, const char *word, int *number)
{
    const size_t length = strlen(word);
    char *end;
    if (strncmp(text, word, length) != 0)
        return NULL;
    const long value = strtol(text + length, &end, 10);
    if (end == text + length || *end != '.' || value < 0 || value > 1000)
        return NULL;
    *number = (int)value;
    return end + 1;
}

static char *diffusers_level(int levels, const char *ours, bool old)
{
    const bool down = strncmp(ours, "down.", 5) == 0;
    int level = 0, index = 0;
    char before[128];
    const char *part = after_number(ours, down ? "down." : "up.", &level), *rest;
    if (!part) /* no tensor of ours */
        return memory_string(ours);
    const int n = down ? level : levels - 1 - level;
    const char *side = down ? "down_blocks" : "up_blocks";
    if ((rest = after_number(part, "block.", &index)) != NULL) {
        snprintf(before, sizeof before, "%s.%d.resnets.%d", side, n, index);
        return part_of(before, false, old, rest);
    }
    if ((rest = after_number(part, "attn.", &index)) != NULL) {
        snprintf(before, sizeof before, "%s.%d.attentions.%d", side, n, index);
        return part_of(before, true, old, rest);
    }
    part = strchr(part, '.') + 1; /* "downsample.conv.weight" */
    return memory_format("%s.%d.%s.0.%s", side, n, down ? "downsamplers" : "upsamplers", part);
}

static char *diffusers_name(int levels, const char *ours, bool old)
{
    const char *rest;
    if (strncmp(ours, "down.", 5) == 0 || strncmp(ours, "up.", 3) == 0)
        return diffusers_level(levels, ours, old);
    const char *name = replaced(whole_parts, COUNT(whole_parts), ours, &rest);
    if (name && strncmp(ours, "mid.", 4) == 0)
        return part_of(name, strncmp(ours, "mid.attn", 8) == 0, old, rest + 1);
    return memory_format("%s%s", name ? name : "", rest);
}

char *names_translate(NameStyle style, int levels, const char *ours)
{
    if (style == NAMES_DIFFUSERS || style == NAMES_DIFFUSERS_OLD)
        return diffusers_name(levels, ours, style == NAMES_DIFFUSERS_OLD);
    return memory_string(ours);
}

/* -- Heads of Extended-Analytic-DPM ------------------------------------------------------------ */

static const Pair head_parts[] = {
    {"block", "before_out"}, {"norm_out", "norm_out2"}, {"conv_out", "conv_out2"}};

char *names_translate_head(NameStyle style, const char *ours)
{
    const char *rest;
    (void)style; /* such heads sit on one family so far */
    const char *name = replaced(head_parts, COUNT(head_parts), ours, &rest);
    return memory_format("%s%s", name ? name : "", rest);
}

bool names_find_head(NameStyle style, const TensorTable *table, int group, HeadType *type)
{
    const bool complex = names_find(table, group, "before_out.norm1.weight") >= 0;
    *type = complex ? HEAD_COMPLEX : HEAD_SIMPLE;
    return style == NAMES_DDPM && (complex || names_find(table, group, "conv_out2.weight") >= 0 ||
                                   names_find(table, group, "norm_out2.weight") >= 0);
}
