/* Chooses the weights in a file, builds our network from their description, and pairs the tensors.
 *
 * A file may hold several state dicts: the network, its moving average, an optimizer. The moving
 * average is taken, as the programs themselves do when they sample.
 *
 * Files of Extended-Analytic-DPM hold a variance head beside the network.
 */
#include "exchange/foreign_network.h"

#include "base/finite.h"
#include "base/memory.h"
#include "exchange/descriptions.h"
#include "exchange/foreign_files.h"
#include "exchange/foreign_parts.h"
#include "model/head.h"
#include "model/unet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* -- The weights ------------------------------------------------------------------------------- */

static bool unknown_names(const TensorFile *file, Error *error)
{
    const TensorTable *table = tensor_file_table(file);
    bool lucidrains = false;
    for (int i = 0; i < table->tensor_count; i++)
        lucidrains = lucidrains || strstr(table->tensors[i].name, "init_conv.weight");
    if (lucidrains)
        return error_input(error,
                           "%s: looks like a U-Net of denoising-diffusion-pytorch (init_conv), "
                           "which is another architecture and can't be imported",
                           tensor_file_path(file));
    error_input(
        error,
        "%s: has %d tensors, and they are of no network that is known here (the first is "
        "%.60s); known are those of pesser/pytorch_diffusion, ermongroup/ddim, improved- and "
        "guided-diffusion and diffusers' UNet2DModel",
        tensor_file_path(file), table->tensor_count, table->tensors[0].name);
    int shared;
    const char *first;
    const NameStyle nearest = names_nearest_style(table, &shared, &first);
    return nearest == NAMES_UNKNOWN ? false
                                    : error_add(error,
                                                "; the nearest family is %s, which has the parts "
                                                "of %d of them, such as %.100s",
                                                names_of_style(nearest), shared, first);
}

static bool choose_group(ForeignNetwork *n, Error *error)
{
    const TensorTable *table = tensor_file_table(n->file);
    int found = 0, averages = 0;
    for (int g = 0; g < table->group_count; g++) {
        const NameStyle style = names_find_style(table, g);
        if (style == NAMES_UNKNOWN)
            continue;
        averages += names_say_average(table->groups[g].name);
        if (found++ == 0 || (names_say_average(table->groups[g].name) &&
                             !names_say_average(table->groups[n->group].name))) {
            n->group = g;
            n->style = style;
        }
    }
    if (found == 0)
        return unknown_names(n->file, error);
    if (found > 1)
        foreign_note(&n->notes, "takes %s of %s, %s; there are %d networks in the file",
                     table->groups[n->group].name, tensor_file_path(n->file),
                     averages > 1    ? "the first moving average"
                     : averages == 1 ? "the moving average"
                                     : "the first",
                     found);
    return true;
}

/* -- The description --------------------------------------------------------------------------- */

static bool read_schedule(ForeignNetwork *n, const ForeignFiles *files, Error *error)
{
    Json *json = NULL;
    bool ok = !files->scheduler ||
              json_read_map(&json, files->scheduler, "the description of a scheduler", error);
    if (ok && !files->scheduler)
        foreign_note(
            &n->notes,
            "finds no scheduler_config.json beside %s, and takes the linear schedule of 1000 "
            "timesteps",
            files->weights);
    ok = ok && diffusers_schedule(&n->config, json, files->scheduler ? files->scheduler : "",
                                  &n->notes, error);
    json_free(json);
    return ok;
}

/* A norm whose weights are there. */
static void look_for_middle_norm(ForeignNetwork *n)
{
    static const char norm[] = "mid_block.attentions.0.group_norm.weight";
    if (names_find(tensor_file_table(n->file), n->group, norm) >= 0)
        n->config.model.mid_norm = true;
}

/* What the network is told: diffusers has no word for it, and `infer export` says it beside the
 * weights. */
static bool read_exported_time(ForeignNetwork *n, const char *path, Error *error)
{
    const char *recipe = tensor_file_table(n->file)->recipe;
    Config exported;
    if (!recipe)
        return true;
    if (!config_parse(&exported, recipe, path, NULL, 0, error))
        return false;
    n->config.model.time = exported.model.time;
    return true;
}

static bool read_diffusers(ForeignNetwork *n, const ForeignFiles *files, int64_t resolution,
                           Error *error)
{
    Json *json = NULL;
    if (!files->config)
        return error_input(error,
                           "%s: has no config.json beside it, which describes a network of "
                           "diffusers; --config FILE names it",
                           files->weights);
    const bool ok = json_read_map(&json, files->config, "the description of a network", error) &&
                    diffusers_network(&n->config, json, files->config, resolution, error) &&
                    read_schedule(n, files, error) && read_exported_time(n, files->weights, error);
    look_for_middle_norm(n);
    json_free(json);
    return ok;
}

/* Shapes say nothing of what pesser's networks have in common. */
static void note_usual(ForeignNetwork *n, const ForeignOptions *options, const char *path)
{
    foreign_note(&n->notes,
                 "takes for %s what networks with these names have: 32 groups of channels%s%s",
                 path, options->betas ? "" : ", the linear schedule of 1000 timesteps (or --betas)",
                 options->time >= 0 ? "" : ", and that they are told t - 1 (or --time)");
}

/* The network at another resolution. Attention stays at its levels. */
static void change_resolution(Config *config, int64_t wanted)
{
    const int described = config->data.resolution;
    if (wanted == 0)
        return;
    for (int i = 0; i < config->model.attentions; i++)
        config->model.attention[i] =
            (int)((int64_t)config->model.attention[i] * wanted / described);
    config->data.resolution = (int)wanted;
}

/* The description that the user names, or the shapes. */
static bool read_ddpm(ForeignNetwork *n, const ForeignFiles *files, const ForeignOptions *options,
                      Error *error)
{
    Json *json = NULL;
    const char *recipe = tensor_file_table(n->file)->recipe;
    bool ok;
    if (!options->config && !recipe) {
        note_usual(n, options, files->weights);
        return shapes_network(&n->config, tensor_file_table(n->file), n->group, files->weights,
                              options->resolution, &n->notes, error);
    }
    if (!options->config)
        ok = config_parse(&n->config, recipe, files->weights, NULL, 0, error);
    else
        ok = json_read_map(&json, options->config, "a recipe of ermongroup/ddim", error) &&
             ddim_recipe(&n->config, json, options->config, error);
    if (ok)
        change_resolution(&n->config, options->resolution);
    json_free(json);
    return ok;
}

/* The flags that the user names. The tensors say the channels of images. */
static bool read_adm(ForeignNetwork *n, const ForeignFiles *files, const ForeignOptions *options,
                     Error *error)
{
    const TensorTable *table = tensor_file_table(n->file);
    const int first = names_find(table, n->group, "input_blocks.0.0.weight");
    Json *json = NULL;
    if (names_find(table, n->group, "label_emb.weight") >= 0)
        return error_input(error,
                           "%s: is class-conditional (label_emb.weight), which varhead's networks "
                           "can't be",
                           files->weights);
    if (!options->config)
        return error_input(error,
                           "%s: does not say the flags that it was trained with, its heads and its "
                           "schedule among them; --config FILE says them, as JSON or YAML",
                           files->weights);
    const bool ok =
        json_read_map(&json, options->config, "flags of improved- or guided-diffusion", error) &&
        adm_flags(&n->config, json, options->config, &n->heads_first, &n->notes, error);
    if (ok)
        change_resolution(&n->config, options->resolution);
    if (ok && first >= 0 && table->tensors[first].rank == 4 && table->tensors[first].shape[1] <= 64)
        n->config.data.channels = (int)table->tensors[first].shape[1];
    json_free(json);
    return ok;
}

/* The message of config_parse without the line, which is of a text that nobody has seen. */
static bool without_line(const char *path, Error *error)
{
    const size_t length = strlen(path);
    if (strncmp(error->message, path, length) != 0 || error->message[length] != ':')
        return false;
    char *at = error->message + length + 1;
    const size_t digits = strspn(at, "0123456789");
    if (digits > 0 && at[digits] == ':')
        memmove(at, at + digits + 1, strlen(at + digits + 1) + 1);
    return false;
}

/* The rules of configurations and of schedules hold for foreign ones, too. */
static bool check_config(ForeignNetwork *n, const char *path, Error *error)
{
    Config checked;
    Schedule schedule = {0};
    char *text = config_to_yaml(&n->config);
    bool ok = config_parse(&checked, text, path, NULL, 0, error) || without_line(path, error);
    memory_free(text);
    if (ok)
        n->config = checked;
    if (ok && !config_make_schedule(&schedule, &n->config, error)) {
        error_prefix(error, "%s", path);
        ok = false;
    }
    schedule_free(&schedule);
    return ok;
}

/* A file with a head does not say what the head estimates, and not what the network is told. */
static bool describe_head(ForeignNetwork *n, const ForeignOptions *options, Error *error)
{
    HeadType type;
    const bool found = names_find_head(n->style, tensor_file_table(n->file), n->group, &type);
    if (!found && options->head)
        return error_input(error, "%s: has no variance head, and --head %s says that it has one",
                           tensor_file_path(n->file), options->head);
    n->has_head = found;
    if (found)
        n->config.head.type = type;
    if (found && options->time < 0)
        n->config.model.time = MODEL_TIME_T_MINUS_1; /* scaled, whatever N is */
    if (found && options->time < 0)
        foreign_note(&n->notes,
                     "takes it that the network of %s is told t - 1; Extended-Analytic-DPM tells "
                     "some networks t, and --time t says so",
                     tensor_file_path(n->file));
    return true;
}

/* The betas that the user names. Of pesser's networks nothing else says how many there are. */
static bool read_betas(ForeignNetwork *n, const ForeignOptions *options, Error *error)
{
    const int described = n->config.diffusion.timesteps;
    const bool is_free =
        n->style == NAMES_DDPM && !options->config && !tensor_file_table(n->file)->recipe;
    if (!options->betas)
        return true;
    if (!config_read_betas(&n->config, options->betas, error))
        return false;
    const int count = n->config.diffusion.timesteps;
    if (is_free && count != described)
        n->config.model.time = MODEL_TIME_INDEX;
    return is_free || count == described ||
           error_input(error, "%s: has %d betas, and the description of the network %d timesteps",
                       options->betas, count, described);
}

static bool describe(ForeignNetwork *n, const ForeignFiles *files, const ForeignOptions *options,
                     Error *error)
{
    config_defaults(&n->config);
    snprintf(n->config.name, sizeof n->config.name, "imported");
    memset(n->config.data.train, 0, sizeof n->config.data.train);
    memset(n->config.data.test, 0, sizeof n->config.data.test);
    const bool ok = n->style == NAMES_DDPM  ? read_ddpm(n, files, options, error)
                    : n->style == NAMES_ADM ? read_adm(n, files, options, error)
                                            : read_diffusers(n, files, options->resolution, error);
    if (!ok || !read_betas(n, options, error))
        return false;
    if (options->time >= 0)
        n->config.model.time = (ModelTime)options->time;
    const char *origin =
        n->style == NAMES_DDPM || n->style == NAMES_ADM ? options->config : files->config;
    return describe_head(n, options, error) &&
           check_config(n, origin ? origin : files->weights, error);
}

/* -- Pairs of tensors -------------------------------------------------------------------------- */

static void list_params(ForeignNetwork *n)
{
    params_init(&n->params);
    params_init(&n->head);
    Graph *graph = graph_new(&n->params, (GraphOptions){.batch = 1});
    Graph *head_graph = graph_new(&n->head, (GraphOptions){.batch = 1});
    const UNet net = unet_build(graph, &n->config);
    if (n->has_head)
        head_build(head_graph, &n->config, 1, net.features, net.temb);
    graph_free(head_graph);
    graph_free(graph);
}

/* The shape of the tensor that `param` is a part of. */
static void whole_shape(const Param *param, NamePart part, int64_t shape[PARAM_MAX_RANK])
{
    for (int d = 0; d < param->rank; d++)
        shape[d] = (int64_t)param->shape[d] * (d == 0 ? part.count : 1);
}

/* Whether both shapes are the same but for ones at the end: a 1x1 convolution is a linear layer. */
static bool fits(const Param *param, NamePart part, const Tensor *tensor)
{
    int64_t shape[PARAM_MAX_RANK] = {0};
    whole_shape(param, part, shape);
    const int most = param->rank > tensor->rank ? param->rank : tensor->rank;
    for (int i = 0; i < most; i++) {
        const int64_t ours = i < param->rank ? shape[i] : 1;
        const int64_t theirs = i < tensor->rank ? tensor->shape[i] : 1;
        if (ours != theirs)
            return false;
    }
    return true;
}

/* Tensors that networks have besides, and that their forward passes never read. */
static bool is_spare(const char *name)
{
    return strcmp(name, "logvar") == 0 || strcmp(name, "module.logvar") == 0 ||
           strstr(name, ".downsamplers.0.Conv2d_0.") || strstr(name, ".upsamplers.0.Conv2d_0.");
}

/* What does not fit: how many tensors, and the first of each kind. */
typedef struct Misfits {
    int expected, missing, unknown, wrong;
    char *first_missing;
    const char *first_unknown;
    char *first_wrong;
} Misfits;

/* Counts a tensor that is not there, or has another shape. NULL stands for none. */
static void compare(const Param *param, NamePart part, const char *name, const Tensor *tensor,
                    Misfits *misfits)
{
    if (!tensor && misfits->missing++ == 0)
        misfits->first_missing = memory_string(name);
    if (tensor && !fits(param, part, tensor) && misfits->wrong++ == 0) {
        int64_t shape[PARAM_MAX_RANK];
        whole_shape(param, part, shape);
        misfits->first_wrong = memory_format("%s of shape %s instead of %s", name,
                                             tensor_shape_text(tensor->rank, tensor->shape).text,
                                             tensor_shape_text(param->rank, shape).text);
    }
}

/* The pairs of one set: of the network, or of the head. Of several parts of one tensor the first is
 * compared. */
static void pair_set(ForeignNetwork *n, const ParamSet *set, int *tensors, bool *used,
                     Misfits *misfits)
{
    const TensorTable *table = tensor_file_table(n->file);
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        const bool is_head = set == &n->head;
        char *name = is_head ? names_translate_head(n->style, n->config.head.type, param->name)
                             : names_translate(n->style, &n->config, param->name);
        NamePart part = {.count = 1};
        if (!is_head)
            part = names_part(n->style, &n->config, param->name);
        const int index = tensors[i] = names_find(table, n->group, name);
        if (index >= 0)
            used[index] = true;
        misfits->expected += part.index == 0;
        if (part.index == 0)
            compare(param, part, name, index >= 0 ? &table->tensors[index] : NULL, misfits);
        memory_free(name);
    }
}

static void pair(ForeignNetwork *n, bool *used, Misfits *misfits)
{
    const TensorTable *table = tensor_file_table(n->file);
    pair_set(n, &n->params, n->tensors, used, misfits);
    pair_set(n, &n->head, n->head_tensors, used, misfits);
    assert(table->groups && table->tensors); /* choose_group has found some */
    const TensorGroup *group = &table->groups[n->group];
    for (int i = group->first; i < group->first + group->count; i++)
        if (!used[i] && !is_spare(table->tensors[i].name) && misfits->unknown++ == 0)
            misfits->first_unknown = table->tensors[i].name;
}

static bool complain(const ForeignNetwork *n, const Misfits *m, Error *error)
{
    if (m->missing + m->unknown + m->wrong == 0)
        return true;
    error_input(error, "%s: does not fit the network of the family %s that its description gives:",
                tensor_file_path(n->file), names_of_style(n->style));
    if (m->missing > 0)
        error_add(error, " %d missing, the first %.100s;", m->missing, m->first_missing);
    if (m->unknown > 0)
        error_add(error, " %d unknown, the first %.100s;", m->unknown, m->first_unknown);
    if (m->wrong > 0)
        error_add(error, " %d of another shape, the first %.200s;", m->wrong, m->first_wrong);
    return error_add(error, " of %d tensors", m->expected);
}

static bool have_floats(const ForeignNetwork *n, const int *tensors, int count, Error *error)
{
    for (int i = 0; i < count; i++)
        if (!tensor_file_has_floats(n->file, tensors[i], error))
            return false;
    return true;
}

static bool pair_tensors(ForeignNetwork *n, Error *error)
{
    Misfits misfits = {0};
    bool *used = memory_small((size_t)tensor_file_table(n->file)->tensor_count, sizeof *used);
    list_params(n);
    n->tensors = memory_small((size_t)n->params.count, sizeof *n->tensors);
    n->head_tensors = memory_small((size_t)n->head.count + 1, sizeof *n->head_tensors);
    pair(n, used, &misfits);
    const bool ok = complain(n, &misfits, error) &&
                    have_floats(n, n->tensors, n->params.count, error) &&
                    have_floats(n, n->head_tensors, n->head.count, error);
    memory_free(misfits.first_missing);
    memory_free(misfits.first_wrong);
    memory_free(used);
    return ok;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool check_style(const ForeignNetwork *n, NameStyle wanted, Error *error)
{
    const bool same =
        wanted == n->style || (wanted == NAMES_DIFFUSERS && n->style == NAMES_DIFFUSERS_OLD);
    return wanted == NAMES_UNKNOWN || same ||
           error_input(error, "%s: has the names of the family %s, not of %s",
                       tensor_file_path(n->file), names_of_style(n->style), names_of_style(wanted));
}

/* A moving average in a file of its own is a choice, too. Always true. */
static bool note_average(ForeignNetwork *n, const ForeignFiles *files)
{
    if (files->average)
        foreign_note(&n->notes, "takes %s, the moving average", files->weights);
    return true;
}

bool foreign_open(ForeignNetwork *n, const ForeignOptions *options, Error *error)
{
    ForeignFiles files = {0};
    *n = (ForeignNetwork){0};
    const bool ok = foreign_files_find(&files, options->path, options->config, error) &&
                    note_average(n, &files) && tensor_file_open(&n->file, files.weights, error) &&
                    choose_group(n, error) && check_style(n, options->style, error) &&
                    describe(n, &files, options, error) && pair_tensors(n, error);
    foreign_files_free(&files);
    if (!ok)
        foreign_close(n);
    return ok;
}

void foreign_close(ForeignNetwork *n)
{
    tensor_file_close(n->file);
    params_free(&n->params);
    params_free(&n->head);
    memory_free(n->tensors);
    memory_free(n->head_tensors);
    foreign_notes_free(&n->notes);
    *n = (ForeignNetwork){0};
}

static bool check_finite(const ForeignNetwork *n, const ParamSet *set, const int *tensors,
                         const float *weights, Error *error)
{
    const TensorTable *table = tensor_file_table(n->file);
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        if (finite_floats(weights + param->offset, param->count) < param->count)
            return error_input(error, "%s: the tensor %.80s has a number that is not finite",
                               tensor_file_path(n->file), table->tensors[tensors[i]].name);
    }
    return true;
}

bool foreign_read(ForeignNetwork *n, float *weights, float *head, Error *error)
{
    TensorWish *wishes = memory_small((size_t)(n->params.count + n->head.count), sizeof *wishes);
    int count;
    const ForeignPairs pairs = {.style = n->style,
                                .config = &n->config,
                                .params = &n->params,
                                .tensors = n->tensors,
                                .heads_first = n->heads_first};
    ForeignParts *parts = foreign_parts_wish(&pairs, weights, wishes, &count, error);
    for (int i = 0; i < n->head.count; i++)
        wishes[count++] =
            (TensorWish){.tensor = n->head_tensors[i], .to = head + n->head.items[i].offset};
    bool ok = parts && tensor_file_read(n->file, wishes, count, error);
    if (ok) {
        foreign_parts_place(parts);
        ok = check_finite(n, &n->params, n->tensors, weights, error) &&
             check_finite(n, &n->head, n->head_tensors, head, error);
    }
    foreign_parts_free(parts);
    memory_free(wishes);
    return ok;
}
