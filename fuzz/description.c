/* A description of a network of another program, in JSON or YAML: what `infer import --config` takes, and
 * diffusers' files. The first byte of the input says whose. */
#include "exchange/descriptions.h"
#include "exchange/foreign_network.h"
#include "fuzz/target.h"

#include "base/memory.h"

#define IMPORT "tests/golden/import/"

/* Weights of each family. Their description decides what becomes of them. */
static const char *const weights[] = {IMPORT "adm.pt", IMPORT "ddim_ckpt.pth",
                                      IMPORT
                                      "diffusers-new/unet/diffusion_pytorch_model.safetensors"};
enum { FAMILIES = sizeof weights / sizeof weights[0] };

static void describe(const char *path, const char *config)
{
    const ForeignOptions options = {
        .path = path, .config = config, .style = NAMES_UNKNOWN, .time = -1};
    ForeignNetwork network;
    Error error = {0};
    if (!foreign_open(&network, &options, &error)) {
        fuzz_check_error(&error);
        return;
    }
    if (network.params.count < 1 || network.config.diffusion.timesteps < 2)
        fuzz_broken("an accepted description gives a network with tensors and timesteps");
    foreign_close(&network);
}

static void schedule(const char *path)
{
    ForeignNotes notes = {0};
    Error error = {0};
    Config config;
    Json *json = NULL;
    config_defaults(&config);
    if (!json_read_map(&json, path, "the description of a scheduler", &error) ||
        !diffusers_schedule(&config, json, path, &notes, &error))
        fuzz_check_error(&error);
    json_free(json);
    foreign_notes_free(&notes);
}

void fuzz_description(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return;
    const int kind = bytes[0] % (FAMILIES + 1);
    const char *path = fuzz_file("description", bytes + 1, size - 1);
    if (kind < FAMILIES)
        describe(weights[kind], path);
    else
        schedule(path);
}
