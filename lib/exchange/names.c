/* Finds the style of names, and hands a name to the file of its style. */
#include "exchange/names.h"

#include "base/memory.h"
#include "exchange/names_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char module[] = "module.";

const char *names_of_style(NameStyle style)
{
    static const char *const names[] = {"ddpm", "adm", "diffusers", "diffusers (older names)",
                                        "unknown"};
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
    if (names_find(table, group, "time_embed.0.weight") >= 0 &&
        names_find(table, group, "input_blocks.0.0.weight") >= 0)
        return NAMES_ADM;
    if (names_find(table, group, "time_embedding.linear_1.weight") >= 0 &&
        names_find(table, group, "down_blocks.0.resnets.0.norm1.weight") >= 0)
        return names_find(table, group, "mid_block.attentions.0.query.weight") >= 0
                   ? NAMES_DIFFUSERS_OLD
                   : NAMES_DIFFUSERS;
    return NAMES_UNKNOWN;
}

/* Whether one of the parts, which end in NULL, is a component of a name: between dots. */
static bool has_component(const char *name, const char *const *parts)
{
    for (; *parts; parts++) {
        const size_t length = strlen(*parts);
        for (const char *at = name; (at = strstr(at, *parts)); at += length)
            if ((at == name || at[-1] == '.') && at[length] == '.')
                return true;
    }
    return false;
}

NameStyle names_nearest_style(const TensorTable *table, int *shared, const char **first)
{
    static const char *const parts[][8] = {
        [NAMES_DDPM] = {"temb", "down", "up", "mid"},
        [NAMES_ADM] = {"time_embed", "input_blocks", "middle_block", "output_blocks"},
        [NAMES_DIFFUSERS] = {"time_embedding", "down_blocks", "up_blocks", "mid_block"}};
    NameStyle nearest = NAMES_UNKNOWN;
    *shared = 0;
    for (NameStyle style = NAMES_DDPM; style <= NAMES_DIFFUSERS; style++) {
        int count = 0;
        const char *found = NULL;
        for (int i = 0; i < table->tensor_count; i++)
            if (has_component(table->tensors[i].name, parts[style]) && count++ == 0)
                found = table->tensors[i].name;
        if (count > *shared)
            *shared = count, *first = found, nearest = style;
    }
    return nearest;
}

char *names_translate(NameStyle style, const Config *config, const char *ours)
{
    if (style == NAMES_DIFFUSERS || style == NAMES_DIFFUSERS_OLD)
        return names_diffusers(config, ours, style == NAMES_DIFFUSERS_OLD);
    return style == NAMES_ADM ? names_adm(config, ours) : memory_string(ours);
}

NamePart names_part(NameStyle style, const Config *config, const char *ours)
{
    static const char *const stacked[] = {"q.", "k.", "v."};
    const NamePlace place = names_place(ours);
    if (style == NAMES_ADM && place.kind == PLACE_ATTENTION)
        for (int i = 0; i < 3; i++)
            if (strncmp(place.rest, stacked[i], 2) == 0)
                return (NamePart){.index = i, .count = 3};
    if (style != NAMES_DDPM && config->model.learned != LEARNED_NONE) {
        if (strncmp(ours, "conv_out.", 9) == 0)
            return (NamePart){.index = 0, .count = 2};
        if (strncmp(ours, "conv_out_v.", 11) == 0)
            return (NamePart){.index = 1, .count = 2};
    }
    return (NamePart){.index = 0, .count = 1};
}

/* -- Heads of Extended-Analytic-DPM ------------------------------------------------------------ */

static const NamePair head_parts[] = {
    {"block", "before_out"}, {"norm_out", "norm_out2"}, {"conv_out", "conv_out2"}};

char *names_translate_head(NameStyle style, HeadType type, const char *ours)
{
    if (style == NAMES_ADM)
        return names_adm_head(type == HEAD_COMPLEX, ours);
    return names_join("", head_parts, sizeof head_parts / sizeof head_parts[0], ours);
}

/* Whether a tensor of the group begins with `prefix`. */
static bool has_prefix(const TensorTable *table, int group, const char *prefix)
{
    const TensorGroup *tensors = &table->groups[group];
    for (int i = tensors->first; i < tensors->first + tensors->count; i++) {
        const char *name = table->tensors[i].name;
        if (strncmp(name, module, sizeof module - 1) == 0)
            name += sizeof module - 1;
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

bool names_find_head(NameStyle style, const TensorTable *table, int group, HeadType *type)
{
    const bool is_adm = style == NAMES_ADM;
    const bool complex = has_prefix(table, group, is_adm ? "out2.0.in_layers." : "before_out.");
    *type = complex ? HEAD_COMPLEX : HEAD_SIMPLE;
    if (is_adm)
        return has_prefix(table, group, "out2.");
    return style == NAMES_DDPM && (complex || has_prefix(table, group, "conv_out2.") ||
                                   has_prefix(table, group, "norm_out2."));
}

bool names_say_average(const char *group)
{
    bool denied = false, average = strcmp(group, "[4]") == 0;
    while (*group != '\0' && !average) {
        size_t length = 0;
        while (isalpha((unsigned char)group[length]))
            length++;
        average = length == 3 && strncasecmp(group, "ema", 3) == 0 && !denied;
        if (length > 0)
            denied = (length == 2 || length == 3) && strncasecmp(group, "non", length) == 0;
        group += length > 0 ? length : 1;
    }
    return average;
}
