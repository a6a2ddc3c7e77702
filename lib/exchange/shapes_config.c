/* The network that tensors with our names make up: widths and depths are in their shapes. The
 * number of groups (32), the schedule and the resolution are not. */
#include "exchange/descriptions.h"

#include "exchange/names.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct Shapes {
    const TensorTable *table;
    int group;
} Shapes;

/* The tensor of that name; NULL if there is none. */
__attribute__((format(printf, 2, 3))) static const Tensor *find(const Shapes *s, const char *format,
                                                                ...)
{
    char name[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const int index = names_find(s->table, s->group, name);
    return index < 0 ? NULL : &s->table->tensors[index];
}

/* Sets the resolution, and the resolutions with attention. attends: a bit for each level. */
static bool choose_resolution(Config *config, unsigned attends, const char *path, int64_t wanted,
                              ForeignNotes *notes, Error *error)
{
    enum { USUAL = 16 };
    int level = 0;
    while (level < config->model.levels && !(attends >> level & 1))
        level++;
    if (wanted == 0 && level == config->model.levels)
        return error_input(error,
                           "%s: does not say the size of its images; --resolution N says it, or "
                           "--config FILE",
                           path);
    config->data.resolution = wanted > 0 ? (int)wanted : USUAL << level;
    if (wanted == 0)
        foreign_note(
            notes,
            "guesses %d x %d images for %s, which has attention at level %d (usually 16 x 16); "
            "--resolution N says another size",
            config->data.resolution, config->data.resolution, path, level);
    config->model.attentions = 0;
    for (int i = 0; i < config->model.levels; i++)
        if (attends >> i & 1)
            config->model.attention[config->model.attentions++] = config->data.resolution >> i;
    return true;
}

bool shapes_network(Config *config, const TensorTable *table, int group, const char *path,
                    int64_t resolution, ForeignNotes *notes, Error *error)
{
    const Shapes s = {.table = table, .group = group};
    const Tensor *conv_in = find(&s, "conv_in.weight"), *block;
    unsigned attends = 0;
    if (!conv_in || conv_in->rank != 4 || conv_in->shape[0] < 4 || conv_in->shape[0] > 4096 ||
        conv_in->shape[1] < 1 || conv_in->shape[1] > 64)
        return error_input(error, "%s: has no possible tensor conv_in.weight", path);
    config->model.channels = (int)conv_in->shape[0];
    config->data.channels = (int)conv_in->shape[1];
    config->model.levels = config->model.res_blocks = 0;
    for (int i = 0; i < CONFIG_MAX_LEVELS && (block = find(&s, "down.%d.block.0.conv1.weight", i));
         i++) {
        if (block->rank != 4 || block->shape[0] % conv_in->shape[0] != 0 ||
            block->shape[0] / conv_in->shape[0] > 64)
            return error_input(error,
                               "%s: down.%d.block.0.conv1.weight has the shape %s, expected "
                               "a multiple of %lld channels",
                               path, i, tensor_shape_text(block->rank, block->shape).text,
                               (long long)conv_in->shape[0]);
        config->model.channel_mult[config->model.levels++] =
            (int)(block->shape[0] / conv_in->shape[0]);
        attends |= find(&s, "down.%d.attn.0.q.weight", i) ? 1u << i : 0;
    }
    while (config->model.res_blocks < 16 &&
           find(&s, "down.0.block.%d.conv1.weight", config->model.res_blocks))
        config->model.res_blocks++;
    config->model.norm_groups = 32;
    config->model.time = MODEL_TIME_T_MINUS_1;
    config->stage1.variance = FIXED_BETA;
    return choose_resolution(config, attends, path, resolution, notes, error);
}
