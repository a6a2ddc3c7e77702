/* infer export: writes the network of a run for other programs.
 *
 *     safetensors   one file under our names, with the recipe in its metadata
 *     diffusers     a folder as UNet2DModel.save_pretrained writes it, with a scheduler
 *     hdf5          a checkpoint with the moving average alone
 */
#include "base/directory.h"
#include "base/memory.h"
#include "base/note.h"
#include "config/config_network.h"
#include "exchange/safetensors_write.h"
#include "infer/command.h"
#include "io/checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: infer export --format safetensors|diffusers|hdf5 --out PATH [options]\n"
    "\n"
    "Writes the network of a run, its moving average, for other programs:\n"
    "\n"
    "  safetensors  a file with our names, those of pesser/pytorch_diffusion\n"
    "  diffusers    a folder with unet/ and scheduler/: UNet2DModel.from_pretrained\n"
    "  hdf5         a checkpoint with nothing but the network\n"
    "\n"
    "infer import reads all but the last again, bit for bit. Nothing is replaced.\n"
    "\n"
    "examples:\n"
    "  infer export --format diffusers --out my-model\n"
    "  infer export --run checkpoints/quick --format safetensors --out q.safetensors\n"
    "\n";

enum { FORMAT_SAFE, FORMAT_DIFFUSERS, FORMAT_HDF5 };

typedef struct Export {
    CommonOptions common;
    int format;
    const char *out;

    Checkpoint *checkpoint;
    ParamSet trunk, head;
    float *weights;
} Export;

/* stage1.h5, the last file of a run, has the run's network. A file of heads has a copy of the network
 * that the heads were fitted on, which may be an older one. */
static const char *file_of_network(const RunFiles *files)
{
    const char *last = files->paths[files->count - 1], *slash = strrchr(last, '/');
    return files->is_run && strcmp(slash ? slash + 1 : last, "stage1.h5") == 0 ? last
                                                                               : files->paths[0];
}

static bool read_network(Export *s, Error *error)
{
    RunFiles files;
    if (!run_files_find(&files, &s->common.network.source, error))
        return false;
    const bool ok = checkpoint_open(&s->checkpoint, file_of_network(&files), error);
    run_files_free(&files);
    if (!ok)
        return false;
    network_shapes(checkpoint_config(s->checkpoint), 1, &s->trunk, &s->head);
    s->weights = checkpoint_load_params(s->checkpoint, "trunk_ema", &s->trunk, error);
    return s->weights != NULL;
}

/* -- diffusers --------------------------------------------------------------------------------- */

static bool attends(const Config *config, int level)
{
    for (int i = 0; i < config->model.attentions; i++)
        if (config->model.attention[i] == config->data.resolution >> level)
            return true;
    return false;
}

/* The type of a level's block. Residual blocks that change the resolution are a type of their own
 * without attention, and an option of the types with attention. */
static void put_blocks(FILE *to, const Config *config, bool down)
{
    const int levels = config->model.levels;
    const bool residual = config_network_kind(config).block_resampling;
    for (int i = 0; i < levels; i++) {
        const bool attention = attends(config, down ? i : levels - 1 - i);
        const char *way = down ? "Down" : "Up";
        fputs(i > 0 ? ", " : "", to);
        if (attention || !residual)
            fprintf(to, "\"%s%sBlock2D\"", attention ? "Attn" : "", way);
        else
            fprintf(to, "\"Resnet%ssampleBlock2D\"", way);
    }
}

/* The channels of a head: null stands for a single head. */
static void put_heads(FILE *to, const Config *config)
{
    const int channels =
        config->model.channels * config->model.channel_mult[config->model.levels - 1];
    const int heads = config_heads(config, channels);
    if (heads == 1 && config->model.head_channels == 0)
        fputs("null", to);
    else
        fprintf(to, "%d", channels / heads);
}

static void put_network(FILE *to, const Config *config)
{
    const NetworkKind kind = config_network_kind(config);
    const bool middle_has_norm = config->model.mid_norm && kind.scale_shift;
    fputs("{\n  \"_class_name\": \"UNet2DModel\",\n  \"act_fn\": \"silu\",\n"
          "  \"add_attention\": true,\n  \"attention_head_dim\": ",
          to);
    put_heads(to, config);
    if (middle_has_norm) /* the class has none where the time scales and shifts */
        fprintf(to, ",\n  \"attn_norm_num_groups\": %d", config->model.norm_groups);
    fputs(",\n  \"block_out_channels\": [", to);
    for (int i = 0; i < config->model.levels; i++)
        fprintf(to, "%s%d", i > 0 ? ", " : "",
                config->model.channels * config->model.channel_mult[i]);
    fputs("],\n  \"center_input_sample\": false,\n  \"down_block_types\": [", to);
    put_blocks(to, config, true);
    fprintf(to,
            "],\n  \"downsample_padding\": %d,\n  \"downsample_type\": \"%s\",\n"
            "  \"dropout\": %.17g,\n  \"flip_sin_to_cos\": %s,\n  \"freq_shift\": %d,\n"
            "  \"in_channels\": %d,\n  \"layers_per_block\": %d,\n"
            "  \"mid_block_scale_factor\": 1,\n  \"norm_eps\": %.9g,\n"
            "  \"norm_num_groups\": %d,\n  \"out_channels\": %d,\n"
            "  \"resnet_time_scale_shift\": \"%s\",\n  \"sample_size\": %d,\n"
            "  \"time_embedding_type\": \"positional\",\n  \"up_block_types\": [",
            kind.down_pad_begin, kind.block_resampling ? "resnet" : "conv", config->model.dropout,
            kind.cosines_first ? "true" : "false", kind.freq_shift, config->data.channels,
            config->model.res_blocks, kind.norm_eps, config->model.norm_groups,
            config->data.channels * (config->model.learned != LEARNED_NONE ? 2 : 1),
            kind.scale_shift ? "scale_shift" : "default", config->data.resolution);
    put_blocks(to, config, false);
    fprintf(to, "],\n  \"upsample_type\": \"%s\"\n}\n", kind.block_resampling ? "resnet" : "conv");
}

/* diffusers has one width of heads for all attention layers, and no network of the kind ddpm whose
 * middle has no norm. */
static bool check_diffusers(const Export *s, Error *error)
{
    const Config *config = checkpoint_config(s->checkpoint);
    int width = 0;
    if (!config->model.mid_norm && !config_network_kind(config).scale_shift)
        return error_input(error,
                           "%s: model.mid_norm is false, which diffusers has only with "
                           "model.time_into scale_shift",
                           checkpoint_path(s->checkpoint));
    for (int i = 0; i < config->model.levels; i++) {
        const int channels = config->model.channels * config->model.channel_mult[i];
        const bool reads = attends(config, i) || i == config->model.levels - 1;
        const int own = reads ? channels / config_heads(config, channels) : width;
        if (width != 0 && own != width && (config->model.heads > 1 || config->model.head_channels))
            return error_input(
                error,
                "%s: has attention with heads of %d and of %d channels, and diffusers "
                "has heads of one width; export it as safetensors",
                checkpoint_path(s->checkpoint), width, own);
        width = own;
    }
    return true;
}

/* null, or the betas of a schedule that is nothing else. */
static void put_betas(FILE *to, const Config *config)
{
    if (config->diffusion.beta_count == 0)
        fputs("null", to);
    for (int i = 0; i < config->diffusion.beta_count; i++)
        fprintf(to, "%s%.17g", i == 0 ? "[" : ", ", config->diffusion.betas[i]);
    if (config->diffusion.beta_count > 0)
        fputc(']', to);
}

static void put_scheduler(FILE *to, const Config *config)
{
    static const char *const kinds[] = {"linear", "squaredcos_cap_v2", "scaled_linear", "sigmoid",
                                        "linear"};
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample"};
    const bool scaled = config->diffusion.schedule == SCHEDULE_LINEAR;
    const double scale = scaled ? 1000.0 / config->diffusion.timesteps : 1;
    const double start = config->diffusion.beta_start, end = config->diffusion.beta_end;
    fprintf(to,
            "{\n  \"_class_name\": \"DDPMScheduler\",\n  \"beta_end\": %.17g,\n"
            "  \"beta_schedule\": \"%s\",\n  \"beta_start\": %.17g,\n  \"clip_sample\": true,\n"
            "  \"num_train_timesteps\": %d,\n  \"prediction_type\": \"%s\",\n"
            "  \"trained_betas\": ",
            end > 0 ? end : 0.02 * scale, kinds[config->diffusion.schedule],
            start > 0 ? start : 1e-4 * scale, config->diffusion.timesteps,
            predictions[config->model.predicts]);
    put_betas(to, config);
    fprintf(to, ",\n  \"variance_type\": \"%s\"\n}\n",
            config->model.learned != LEARNED_NONE   ? "learned_range"
            : config->stage1.variance == FIXED_BETA ? "fixed_large"
                                                    : "fixed_small");
}

static void put_index(FILE *to, const Config *config)
{
    (void)config;
    fputs("{\n  \"_class_name\": \"DDPMPipeline\",\n  \"scheduler\": [\"diffusers\", "
          "\"DDPMScheduler\"],\n  \"unet\": [\"diffusers\", \"UNet2DModel\"]\n}\n",
          to);
}

/* Writes a file with the text that `put` prints. */
static bool write_text(const Export *s, const char *path, void (*put)(FILE *, const Config *),
                       Error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (to)
        put(to, checkpoint_config(s->checkpoint));
    const bool ok = to && fclose(to) == 0 ? new_file_write(path, text, error)
                                          : error_runtime(error, "%s: no memory", path);
    memory_free(text);
    return ok;
}

/* diffusers tells a network the index i = t - 1 of a timestep. */
static void note_time(const Config *config)
{
    const bool scaled =
        config->model.time != MODEL_TIME_INDEX && config->diffusion.timesteps != 1000;
    if (config->model.time == MODEL_TIME_T || scaled)
        note("diffusers tells a network t - 1, and this one was told %s: add this in your program",
             config->model.time == MODEL_TIME_T ? "1000 t / N" : "1000 (t - 1) / N");
}

enum { WEIGHTS, NETWORK, SCHEDULER, INDEX, FILES };

/* Writes the files, in whose place there is nothing. What was written before a failure is removed. */
static bool write_files(const Export *s, char *const *paths, Error *error)
{
    static void (*const put[FILES])(FILE *, const Config *) = {
        [NETWORK] = put_network, [SCHEDULER] = put_scheduler, [INDEX] = put_index};
    static const char *const times[] = {"t", "t_minus_1", "index"};
    const Config *config = checkpoint_config(s->checkpoint);
    /* diffusers has no word for what the network is told, and infer import finds it here. */
    char *recipe = memory_format("model: {time: %s}\n", times[config->model.time]);
    int done;
    bool ok = safetensors_write(paths[WEIGHTS], &s->trunk, NAMES_DIFFUSERS, config, s->weights,
                                recipe, error);
    for (done = ok; ok && done < FILES; done += ok)
        ok = write_text(s, paths[done], put[done], error);
    for (int i = 0; !ok && i < done; i++)
        (void)unlink(paths[i]);
    memory_free(recipe);
    return ok;
}

static bool write_diffusers(const Export *s, Error *error)
{
    static const char *const names[FILES] = {"unet/diffusion_pytorch_model.safetensors",
                                             "unet/config.json", "scheduler/scheduler_config.json",
                                             "model_index.json"};
    char *unet = memory_format("%s/unet", s->out),
         *scheduler = memory_format("%s/scheduler", s->out), *paths[FILES];
    bool ok = check_diffusers(s, error);
    for (int i = 0; i < FILES; i++) {
        paths[i] = memory_format("%s/%s", s->out, names[i]);
        ok = ok &&
             (access(paths[i], F_OK) != 0 ||
              error_input(error, "%s: is there already; name another folder to write", paths[i]));
    }
    ok = ok && directory_make(unet, error) && directory_make(scheduler, error) &&
         write_files(s, paths, error);
    if (ok)
        note_time(checkpoint_config(s->checkpoint));
    for (int i = 0; i < FILES; i++)
        memory_free(paths[i]);
    memory_free(unet);
    memory_free(scheduler);
    return ok;
}

/* -- Others ------------------------------------------------------------------------------------ */

static bool write_safetensors(const Export *s, Error *error)
{
    const Config *config = checkpoint_config(s->checkpoint);
    char *recipe = config_to_yaml(config);
    const bool ok =
        safetensors_write(s->out, &s->trunk, NAMES_DDPM, config, s->weights, recipe, error);
    memory_free(recipe);
    return ok;
}

static bool write_hdf5(const Export *s, Error *error)
{
    CheckpointWriter *writer = NULL;
    if (access(s->out, F_OK) == 0)
        return error_input(error, "%s: is there already; name another file to write", s->out);
    if (!checkpoint_create(&writer, s->out, checkpoint_config(s->checkpoint), 1, 0, error))
        return false;
    if (checkpoint_write_params(writer, "trunk_ema", &s->trunk, s->weights, error))
        return checkpoint_commit(writer, error);
    checkpoint_discard(writer);
    return false;
}

static bool export_network(Export *s, Error *error)
{
    static bool (*const write[])(const Export *, Error *) = {write_safetensors, write_diffusers,
                                                             write_hdf5};
    if (s->format < 0 || !s->out)
        return error_input(error, "expected --format safetensors|diffusers|hdf5 and --out PATH");
    if (!read_network(s, error) || !write[s->format](s, error))
        return false;
    if (!s->common.quiet)
        printf("%s: %d tensors, %zu numbers of float32\n", s->out, s->trunk.count, s->trunk.size);
    return true;
}

bool export_command(int argc, char **argv, Error *error)
{
    Export s = {.format = -1};
    bool stop = false;
    const Option options[] = {
        option_heading("What to write"),
        option_choice("format", "safetensors|diffusers|hdf5", &s.format, "for whom; required"),
        option_string("out", "PATH", &s.out, "the file or folder to write; required"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_NETWORK};
    common_defaults(&s.common);
    const bool ok = command_parse(&line, &s.common, argc, argv, NULL, &stop, error) &&
                    (stop || export_network(&s, error));
    checkpoint_close(s.checkpoint);
    params_free(&s.trunk);
    params_free(&s.head);
    memory_free(s.weights);
    common_free(&s.common);
    return ok;
}
