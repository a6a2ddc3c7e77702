/* Draws noise by the keys of base/random.h, or reads it. Of a file the noise of one step, for
 * all samples, is kept in memory. */
#include "inference/noise.h"

#include "base/memory.h"
#include "base/random.h"

#include <string.h>

Noise noise_drawn(uint64_t seed, size_t dims)
{
    return (Noise){.seed = seed, .dims = dims};
}

bool noise_open(Noise *noise, const char *path, const Config *config, int steps, Error *error)
{
    const size_t resolution = (size_t)config->data.resolution;
    *noise = (Noise){.dims = resolution * resolution * (size_t)config->data.channels,
                     .held = -1,
                     .count = HDF5_ANY};
    bool ok = hdf5_open(&noise->file, path, error) &&
              image_array_open(&noise->start, noise->file, "x_T", config, &noise->count, error);
    if (ok && steps > 1) {
        ok = image_array_open_steps(&noise->steps, noise->file, "noise", config, steps - 1,
                                    noise->count, error) &&
             (noise->row = memory_large((size_t)noise->count, noise->dims * sizeof(float),
                                        "the noise of a step", error)) != NULL;
    }
    if (!ok)
        noise_close(noise);
    return ok;
}

void noise_close(Noise *noise)
{
    image_array_close(&noise->start);
    image_array_close(&noise->steps);
    memory_free(noise->row);
    hdf5_close(noise->file);
    *noise = (Noise){0};
}

static void draw(const Noise *noise, RandomPurpose purpose, int step, int first, int count,
                 float *out)
{
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        random_normal((RandomKey){.seed = noise->seed,
                                  .purpose = (uint8_t)purpose,
                                  .step = (uint32_t)step,
                                  .sample = (uint32_t)(first + i)},
                      out + (size_t)i * noise->dims, noise->dims);
}

bool noise_start(Noise *noise, int first, int count, float *x, Error *error)
{
    if (noise->file)
        return image_array_read(&noise->start, first, count, x, error);
    draw(noise, RANDOM_SAMPLE_START, 0, first, count, x);
    return true;
}

bool noise_step(Noise *noise, int step, int first, int count, float *z, Error *error)
{
    if (!noise->file) {
        draw(noise, RANDOM_SAMPLE_NOISE, step, first, count, z);
        return true;
    }
    if (noise->held != step && !image_array_read(&noise->steps, step, 1, noise->row, error))
        return false;
    noise->held = step;
    memcpy(z, noise->row + (size_t)first * noise->dims, (size_t)count * noise->dims * sizeof *z);
    return true;
}
