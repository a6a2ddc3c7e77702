/* Noise of another implementation, for samples and for bounds. All of it is read in the way of the
 * commands. */
#include "inference/noise.h"
#include "base/memory.h"
#include "fuzz/target.h"
#include "infer/nll/nll_noise.h"

enum { STEPS = 3, IMAGES = 2, DIMS = 16 };

static bool read_sampling(const char *path, const Config *config, Error *error)
{
    Noise noise;
    float *x = NULL;
    bool ok = noise_open(&noise, path, config, STEPS, error) &&
              (x = memory_large((size_t)noise.count, DIMS * sizeof *x, "noise", error)) != NULL &&
              noise_start(&noise, 0, (int)noise.count, x, error);
    for (int step = 0; ok && step < STEPS - 1; step++)
        ok = noise_step(&noise, step, 0, (int)noise.count, x, error);
    memory_free(x);
    noise_close(&noise);
    return ok;
}

static bool read_bounds(const char *path, const Config *config, Error *error)
{
    NllNoise noise;
    float eps[IMAGES * DIMS];
    bool ok = nll_noise_open(&noise, path, config, IMAGES, error);
    for (int t = 1; ok && t <= STEPS; t++)
        ok = nll_noise_has(&noise, t, error) && nll_noise_read(&noise, t, 0, IMAGES, eps, error);
    nll_noise_close(&noise);
    return ok;
}

void fuzz_noise(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Config config;
    const char *path = fuzz_file("noise.h5", bytes, size);
    if (!config_parse(&config, fuzz_network_config, "small", NULL, 0, &error))
        fuzz_broken("the configuration of the smallest network is right");
    if (!read_sampling(path, &config, &error))
        fuzz_check_error(&error);
    if (!read_bounds(path, &config, &error))
        fuzz_check_error(&error);
}
