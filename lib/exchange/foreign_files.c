/* Looks for files under the names that diffusers and Extended-Analytic-DPM give them. */
#include "exchange/foreign_files.h"

#include "base/atomic_file.h"
#include "base/memory.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* "DIRECTORY/NAME" if such a file is there, or NULL. The caller frees. */
static char *existing(const char *directory, const char *name)
{
    char *path = memory_format("%s/%s", directory, name);
    if (access(path, F_OK) == 0)
        return path;
    memory_free(path);
    return NULL;
}

static char *first_existing(const char *directory, const char *const *names, int count)
{
    char *found = NULL;
    for (int i = 0; i < count && !found; i++)
        found = existing(directory, names[i]);
    return found;
}

static char *find_weights(const char *directory)
{
    static const char *const names[] = {"unet_ema/diffusion_pytorch_model.safetensors",
                                        "unet_ema/diffusion_pytorch_model.bin",
                                        "unet_ema/diffusion_pytorch_model.fp16.safetensors",
                                        "unet_ema/diffusion_pytorch_model.fp16.bin",
                                        "unet/diffusion_pytorch_model.safetensors",
                                        "unet/diffusion_pytorch_model.bin",
                                        "unet/diffusion_pytorch_model.fp16.safetensors",
                                        "unet/diffusion_pytorch_model.fp16.bin",
                                        "diffusion_pytorch_model.safetensors",
                                        "diffusion_pytorch_model.bin",
                                        "diffusion_pytorch_model.fp16.safetensors",
                                        "diffusion_pytorch_model.fp16.bin",
                                        "ema_models_states/model.pth",
                                        "models_states/model.pth"};
    return first_existing(directory, names, sizeof names / sizeof names[0]);
}

/* The folder is that of the weights: everything in it, or beside it in a folder of its own. */
static char *find_scheduler(const char *directory)
{
    static const char *const names[] = {"scheduler_config.json", "scheduler/scheduler_config.json",
                                        "../scheduler/scheduler_config.json"};
    return first_existing(directory, names, sizeof names / sizeof names[0]);
}

bool foreign_files_find(ForeignFiles *files, const char *path, const char *config, Error *error)
{
    const char *base;
    *files =
        (ForeignFiles){.weights = is_directory(path) ? find_weights(path) : memory_string(path)};
    if (!files->weights)
        return error_input(error,
                           "%s: is a folder without unet/diffusion_pytorch_model.safetensors or "
                           ".bin, as diffusers would write it, and without "
                           "ema_models_states/model.pth; name the file of weights itself",
                           path);
    files->average = strstr(files->weights, "/ema_models_states/") != NULL ||
                     strstr(files->weights, "/unet_ema/") != NULL;
    char *directory = atomic_directory_of(files->weights, &base);
    files->config = config ? memory_string(config) : existing(directory, "config.json");
    files->scheduler = find_scheduler(directory);
    memory_free(directory);
    return true;
}

void foreign_files_free(ForeignFiles *files)
{
    memory_free(files->weights);
    memory_free(files->config);
    memory_free(files->scheduler);
    *files = (ForeignFiles){0};
}
