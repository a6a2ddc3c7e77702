/* infer import: makes a run of a network that another program trained.
 *
 * The run gets one file, stage1.h5, as training would have left it: the configuration that the
 * description of the network amounts to, and the weights under our names. Its attribute `imported`
 * tells `train --stage 2` to take the recipe from it.
 *
 * A variance head beside the network goes to stage2-<head>.h5, as stage 2 would have left it. A run
 * that has the same network already keeps it, so that heads of several files come together.
 */
#include "base/directory.h"
#include "base/memory.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "exchange/foreign_network.h"
#include "infer/command.h"
#include "io/checkpoint.h"
#include "io/file_kind.h"
#include "io/run_lock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: infer import FILE|DIR --run RUN [options]\n"
    "\n"
    "Makes the run directory RUN of a network that another program trained:\n"
    "\n"
    "  DIR    a model of diffusers (UNet2DModel), as save_pretrained writes it\n"
    "  FILE   weights in safetensors or of torch.save, of diffusers, of\n"
    "         pesser/pytorch_diffusion, of ermongroup/ddim, of improved- and\n"
    "         guided-diffusion (--config), of Extended-Analytic-DPM with its\n"
    "         variance head (--head)\n"
    "\n"
    "Format and family are found from the content. Of several networks in a file the\n"
    "moving average is taken. Nothing in a file is executed. docs/import.md has the\n"
    "table of all that is read.\n"
    "\n"
    "examples:\n"
    "  infer import ddpm-cifar10-32/ --run cifar10\n"
    "  infer import diffusion_cifar10_model.ckpt --resolution 32 --run cifar10\n"
    "  infer import ckpt.pth --config cifar10.yml --run cifar10\n"
    "  infer import cifar10_uncond_50M_500K.pt --config flags.json --run iddpm\n"
    "  infer import celeba64_npr.pth --head npr --run celeba\n"
    "  infer import ddpm-cifar10-32/ --run cifar10 --data data/cifar10\n"
    "  train --stage 2 --loss npr,sn --run cifar10 --set data.train=data/cifar10\n"
    "\n";

typedef struct Import {
    CommonOptions common;
    StringList names;
    const char *run, *config, *betas, *data;
    /* -1 or an index of "ddpm|adm|diffusers"; -1 or an index of "t|t_minus_1|index". */
    int family, time;
    /* -1 or an index of head_names. */
    int head;
    int64_t resolution;
    bool fresh;

    ForeignNetwork network;
    RunLock lock;
    /* Of stage1.h5, and of stage2-<head>.h5. */
    char *path, *head_path;
    float *weights, *head_weights;
    /* Whether the run has the network already. */
    bool has_network;
    /* Of reading and writing: numbers. */
    Progress progress;
    int64_t done;
} Import;

static const char *const head_names[] = {"npr", "sn"};

static bool parse(Import *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to import"),
        option_string("run", "DIR", &s->run, "the run directory to make; required"),
        option_choice("family", "ddpm|adm|diffusers", &s->family,
                      "whose names the tensors must have (default: those that they have)"),
        option_string("config", "FILE", &s->config,
                      "the description of the network: config.json of diffusers, the recipe of "
                      "ermongroup/ddim, the flags of improved- or guided-diffusion in JSON or YAML "
                      "(default: config.json beside the weights)"),
        option_string(
            "betas", "FILE", &s->betas,
            "a text file with the betas that the network was trained with (default: those "
            "of its description)"),
        option_choice("head", "npr|sn", &s->head,
                      "what the variance head in the file estimates; required where it has one"),
        option_choice("time", "t|t_minus_1|index", &s->time,
                      "what the network is told at timestep t (default: what its program tells it; "
                      "docs/import.md)"),
        option_integer("resolution", "N", &s->resolution, 4, 1024,
                       "height and width of the images (default: as described)"),
        option_string(
            "data", "PATH", &s->data,
            "the images that it was trained on, for infer nll, quality and compare: "
            "data.train of the run, and data.test is auto (default: none; train --stage 2 "
            "--set data.train=PATH names them, too)"),
        option_flag("fresh", &s->fresh, "replace the network that the run has"),
    };
    const CommandLine line = {
        .usage = usage, .options = options, .count = sizeof options / sizeof options[0]};
    return command_parse(&line, &s->common, argc, argv, &s->names, stop, error);
}

static bool check_arguments(const Import *s, Error *error)
{
    if (s->names.count != 1)
        return error_input(error, "expected one FILE or DIR to import, got %d", s->names.count);
    if (!s->run)
        return error_input(error, "expected --run DIR, the run directory to make");
    return true;
}

static bool check_file(const Import *s, const char *path, Error *error)
{
    if (!file_kind_allows(path, FILE_CHECKPOINT, error))
        return false;
    return s->fresh || access(path, F_OK) != 0 ||
           error_input(error, "%s: is there already; --fresh replaces it, or name another run",
                       path);
}

/* Heads that the run has were fitted on its network, and another one does not take its place. */
static bool check_heads(const Import *s, Error *error)
{
    RunFiles files;
    Error none;
    bool ok = true;
    if (!run_files_find(&files, &(NetworkSource){.run = s->run}, &none))
        return true;
    for (int i = 0; ok && i < files.count; i++)
        ok = strcmp(files.paths[i], s->path) == 0 ||
             (s->head_path && strcmp(files.paths[i], s->head_path) == 0) ||
             error_input(error,
                         "%s: is a head on the network that would be replaced; remove it, or name "
                         "another run",
                         files.paths[i]);
    run_files_free(&files);
    return ok;
}

/* A network that is there already is compared when the other one was read, if a head comes. */
static bool check_run(Import *s, Error *error)
{
    s->has_network = s->head >= 0 && !s->fresh && access(s->path, F_OK) == 0;
    if (s->head < 0)
        return check_file(s, s->path, error) && check_heads(s, error);
    return check_file(s, s->head_path, error) &&
           file_kind_allows(s->path, FILE_CHECKPOINT, error) &&
           (s->has_network || check_heads(s, error));
}

static bool check_head(const Import *s, Error *error)
{
    return !s->network.has_head || s->head >= 0 ||
           error_input(error,
                       "%s: has a variance head and does not say what it estimates; --head npr or "
                       "--head sn says it",
                       tensor_file_path(s->network.file));
}

/* Whether images fit the network. Pictures may be shrunk, and grey ones become colours (data.resize). */
static bool check_images(const char *path, const Config *config, int resolution, int channels,
                         Error *error)
{
    const int side = config->data.resolution;
    const bool adapts = dataset_format_of_file(path) == DATA_PICTURES;
    const bool size_fits = resolution == side || (adapts && resolution > side);
    const bool channels_fit = channels == config->data.channels || (adapts && channels == 1);
    return (size_fits && channels_fit) ||
           error_input(error,
                       "--data: %s: has images of %d x %d with %d channel%s, expected %d x %d "
                       "with %d as the network's",
                       path, resolution, resolution, channels, channels == 1 ? "" : "s", side, side,
                       config->data.channels);
}

static bool name_images(Import *s, Error *error)
{
    Config *config = &s->network.config;
    int resolution = 0, channels = 0;
    if (!s->data)
        return true;
    if (strlen(s->data) >= sizeof config->data.train)
        return error_input(error, "--data: expected a path of at most %zu bytes",
                           sizeof config->data.train - 1);
    if (!dataset_shape(s->data, &resolution, &channels, error))
        return error_prefix(error, "--data");
    if (!check_images(s->data, config, resolution, channels, error))
        return false;
    strcpy(config->data.train, s->data);
    strcpy(config->data.test, CONFIG_TEST_AUTO);
    return true;
}

static bool open_network(Import *s, Error *error)
{
    static const NameStyle styles[] = {NAMES_DDPM, NAMES_ADM, NAMES_DIFFUSERS};
    const ForeignOptions options = {.path = s->names.items[0],
                                    .config = s->config,
                                    .betas = s->betas,
                                    .style = s->family < 0 ? NAMES_UNKNOWN : styles[s->family],
                                    .time = s->time,
                                    .head = s->head < 0 ? NULL : head_names[s->head],
                                    .resolution = s->resolution};
    if (!foreign_open(&s->network, &options, error))
        return false;
    /* The run is named by the last part of its directory, if that is a name. */
    char *text = config_to_yaml(&s->network.config);
    const char *base = s->run;
    for (const char *slash = s->run; (slash = strchr(slash, '/')) != NULL; slash++)
        base = slash[1] != '\0' ? slash + 1 : base;
    char *name = memory_format("name=%.*s", (int)strcspn(base, "/"), base);
    const char *override = name;
    Error unused;
    Config named;
    if (config_parse(&named, text, s->path, &override, 1, &unused))
        s->network.config = named;
    memory_free(name);
    memory_free(text);
    return name_images(s, error);
}

/* -- Progress ---------------------------------------------------------------------------------- */

/* Smaller networks are there before a line is read: 64 MiB of float32. */
enum { WORTH_SHOWING = 16 << 20 };

/* All numbers are read, and written, the network only where the run has none. */
static void progress_begin(Import *s)
{
    const ForeignNetwork *n = &s->network;
    const size_t all = n->params.size + n->head.size;
    const size_t written =
        (s->has_network ? 0 : n->params.size) + (n->has_head ? n->params.size + n->head.size : 0);
    progress_start(&s->progress, "import", 0, (int64_t)(all + written), 4e-6, "MB/s",
                   s->common.quiet || all < WORTH_SHOWING);
}

static void show_read(void *context, int64_t numbers)
{
    Import *s = context;
    s->done += numbers;
    progress_update(&s->progress, s->done, "reads");
}

static void show_written(Import *s, size_t numbers)
{
    s->done += (int64_t)numbers;
    progress_update(&s->progress, s->done, "writes");
}

/* -- Reading ----------------------------------------------------------------------------------- */

static bool read_weights(Import *s, Error *error)
{
    const ForeignNetwork *n = &s->network;
    tensor_file_watch(n->file, show_read, s);
    s->weights = memory_large(n->params.size, sizeof *s->weights, "the network", error);
    if (s->weights && n->has_head)
        s->head_weights = memory_large(n->head.size, sizeof *s->head_weights, "the head", error);
    return s->weights && (s->head_weights || !n->has_head) &&
           foreign_read(&s->network, s->weights, s->head_weights, error);
}

/* A head can only join the very network that it was fitted on. */
static bool check_same_network(const Import *s, Error *error)
{
    const ForeignNetwork *n = &s->network;
    Checkpoint *checkpoint = NULL;
    char keys[256];
    if (!s->has_network)
        return true;
    if (!checkpoint_open(&checkpoint, s->path, error))
        return false;
    float *there = NULL;
    bool same = config_differences(checkpoint_config(checkpoint), &n->config, CONFIG_NETWORK, keys,
                                   sizeof keys) == 0;
    if (same)
        there = checkpoint_load_params(checkpoint, "trunk_ema", &n->params, error);
    const bool read = !same || there;
    same = there && memcmp(there, s->weights, n->params.size * sizeof *there) == 0;
    memory_free(there);
    checkpoint_close(checkpoint);
    return same || (read && error_input(error,
                                        "%s: holds another network than %s; --fresh replaces it, "
                                        "or name another run",
                                        s->path, tensor_file_path(n->file)));
}

/* -- Writing ----------------------------------------------------------------------------------- */

/* Writes one tensor after the other, since only so the progress shows. */
static bool write_params(Import *s, CheckpointWriter *writer, const char *group,
                         const ParamSet *set, const float *values, Error *error)
{
    for (int i = 0; i < set->count; i++) {
        const ParamSet one = {.items = &set->items[i], .count = 1, .size = set->items[i].count};
        if (!checkpoint_write_params(writer, group, &one, values, error))
            return false;
        show_written(s, one.size);
    }
    return true;
}

/* Writes the network, with the head if the stage is 2. */
static bool write_checkpoint(Import *s, const char *path, int stage, Error *error)
{
    const ForeignNetwork *n = &s->network;
    CheckpointWriter *writer = NULL;
    char group[32];
    if (!checkpoint_create(&writer, path, &n->config, stage, 0, error))
        return false;
    snprintf(group, sizeof group, "heads_ema/%s", s->head < 0 ? "" : head_names[s->head]);
    if (write_params(s, writer, "trunk_ema", &n->params, s->weights, error) &&
        (stage == 1 || write_params(s, writer, group, &n->head, s->head_weights, error)) &&
        checkpoint_write_attribute(writer, "/", "imported", 1, error))
        return checkpoint_commit(writer, error);
    checkpoint_discard(writer);
    return false;
}

static bool write_run(Import *s, Error *error)
{
    return (s->has_network || write_checkpoint(s, s->path, 1, error)) &&
           (!s->network.has_head || write_checkpoint(s, s->head_path, 2, error));
}

static void report(const Import *s)
{
    static const char *const times[] = {"t", "t - 1", "t - 1, not scaled"};
    static const char *const outputs[] = {"eps", "v", "x0"};
    const Config *c = &s->network.config;
    printf("%s: %zu numbers in %d tensors, from %s with the names of %s\n", s->path,
           s->network.params.size, s->network.params.count,
           tensor_file_format_name(s->network.file), names_of_style(s->network.style));
    printf(
        "  %d x %d images of %d channel%s; %s schedule, %d timesteps; the network is told %s and "
        "predicts %s\n",
        c->data.resolution, c->data.resolution, c->data.channels, c->data.channels == 1 ? "" : "s",
        schedule_kind_name(c->diffusion.schedule), c->diffusion.timesteps, times[c->model.time],
        outputs[c->model.predicts]);
    if (s->network.has_head)
        printf("%s: %zu numbers in %d tensors, a %s head %s\n", s->head_path, s->network.head.size,
               s->network.head.count, c->head.type == HEAD_COMPLEX ? "complex" : "simple",
               head_names[s->head]);
}

/* Reads the weights and writes the run. */
static bool copy(Import *s, Error *error)
{
    progress_begin(s);
    const bool ok = read_weights(s, error) && check_same_network(s, error) &&
                    directory_make(s->run, error) && run_lock_take(&s->lock, s->run, error) &&
                    write_run(s, error);
    progress_finish(&s->progress);
    return ok;
}

static bool import(Import *s, Error *error)
{
    if (!check_arguments(s, error))
        return false;
    s->path = memory_format("%s/stage1.h5", s->run);
    if (s->head >= 0)
        s->head_path = memory_format("%s/stage2-%s.h5", s->run, head_names[s->head]);
    if (!check_run(s, error) || !open_network(s, error) || !check_head(s, error) || !copy(s, error))
        return false;
    foreign_notes_show(&s->network.notes);
    if (!s->common.quiet)
        report(s);
    return true;
}

bool import_command(int argc, char **argv, Error *error)
{
    Import s = {.family = -1, .time = -1, .head = -1, .lock = {.fd = -1}};
    bool stop = false;
    common_defaults(&s.common);
    const bool ok = parse(&s, argc, argv, &stop, error) && (stop || import(&s, error));
    if (s.lock.path)
        run_lock_release(&s.lock);
    foreign_close(&s.network);
    memory_free(s.weights);
    memory_free(s.head_weights);
    memory_free(s.head_path);
    memory_free(s.path);
    string_list_free(&s.names);
    common_free(&s.common);
    return ok;
}
