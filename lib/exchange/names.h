/* The names of one network in different programs (docs/import.md has the table).
 *
 * Our names are those of pesser/pytorch_diffusion and ermongroup/ddim.
 */
#pragma once

#include "config/config.h"
#include "engine/params.h"
#include "exchange/tensor_table.h"

#include <stdbool.h>

typedef enum NameStyle {
    /* Of pesser/pytorch_diffusion and ermongroup/ddim: our own. */
    NAMES_DDPM,
    /* Of improved- and guided-diffusion. */
    NAMES_ADM,
    /* Of diffusers' UNet2DModel: to_q, to_out.0; and before version 0.18: query, proj_attn. */
    NAMES_DIFFUSERS,
    NAMES_DIFFUSERS_OLD,
    NAMES_UNKNOWN
} NameStyle;

/* "diffusers", a constant string. */
const char *names_of_style(NameStyle style);

/* The style of the tensors of a group: NAMES_UNKNOWN if they are those of no known network. */
NameStyle names_find_style(const TensorTable *table, int group);

/* The style whose networks have the parts that most tensors of the file name, be it after a prefix
 * of another program: "model.input_blocks.0.0.weight" has a part of NAMES_ADM. *shared := the number
 * of these tensors, *first := the first of them; NAMES_UNKNOWN if there are none. A tensor of "conv_in"
 * counts for no style, since several have it. */
NameStyle names_nearest_style(const TensorTable *table, int *shared, const char **first);

/* The name in `style` of our tensor `ours` of the network of `config`. The caller frees. */
char *names_translate(NameStyle style, const Config *config, const char *ours);

/* One tensor there may be several of ours, one below the other along its first dimension. */
typedef struct NamePart {
    int index, count;
} NamePart;

/* Which part of the tensor of that name ours is. */
NamePart names_part(NameStyle style, const Config *config, const char *ours);

/* Whether tensors of a group belong to a variance head of Extended-Analytic-DPM beside a network in
 * `style`; *type := its type. */
bool names_find_head(NameStyle style, const TensorTable *table, int group, HeadType *type);

/* The name in `style` of the tensor `ours` of a head of that type ("block.norm1.weight",
 * "conv_out.bias"). The caller frees. */
char *names_translate_head(NameStyle style, HeadType type, const char *ours);

/* The tensor of a group with that name, or with "module." before it; -1 if there is none. */
int names_find(const TensorTable *table, int group, const char *name);

/* Whether a group of that name is a moving average: "ema" is a word of it, as in "model_ema" and
 * "ema_0.9999", and not behind "no" or "non"; or it is "[4]", the last of the list of ermongroup/ddim
 * [network, optimizer, epoch, step, average]. */
bool names_say_average(const char *group);
