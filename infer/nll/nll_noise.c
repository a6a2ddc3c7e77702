/* Reads the noise of another implementation from an HDF5 file.
 *
 * The sweep asks for one timestep after another, a batch of images at a time. So the noise of one
 * timestep is read for all images at once and stays in memory until the next timestep is asked for.
 */
#include "infer/nll/nll_noise.h"

#include "base/memory.h"

#include <string.h>

bool nll_noise_open(NllNoise *noise, const char *path, const Config *config, int images,
                    Error *error)
{
    const size_t side = (size_t)config->data.resolution;
    *noise = (NllNoise){.path = path,
                        .dims = side * side * (size_t)config->data.channels,
                        .count = HDF5_ANY,
                        .loaded = -1};
    if (!hdf5_open(&noise->file, path, error) ||
        !hdf5_expect(noise->file, "t", HDF5_INT64, 1, &noise->count, error))
        return false;
    noise->t = memory_large((size_t)noise->count, sizeof *noise->t, "timesteps", error);
    return noise->t && hdf5_read(noise->file, "t", HDF5_INT64, 1, &noise->count, noise->t, error) &&
           image_array_open_steps(&noise->eps, noise->file, "eps", config, noise->count, images,
                                  error) &&
           (noise->row = memory_large((size_t)images, noise->dims * sizeof *noise->row,
                                      "the noise of a timestep", error)) != NULL;
}

void nll_noise_close(NllNoise *noise)
{
    image_array_close(&noise->eps);
    hdf5_close(noise->file);
    memory_free(noise->t);
    memory_free(noise->row);
    *noise = (NllNoise){0};
}

/* The row of timestep t; -1 if there is none. */
static int64_t row_of(const NllNoise *noise, int t)
{
    for (int64_t row = 0; row < noise->count; row++)
        if (noise->t[row] == t)
            return row;
    return -1;
}

bool nll_noise_has(const NllNoise *noise, int t, Error *error)
{
    return row_of(noise, t) >= 0 ||
           error_input(error, "%s:/t: expected timestep %d to be among them, as --steps needs",
                       noise->path, t);
}

bool nll_noise_read(void *context, int t, int first, int count, float *eps, Error *error)
{
    NllNoise *noise = context;
    const int64_t row = row_of(noise, t);
    if (noise->loaded != row && !image_array_read(&noise->eps, row, 1, noise->row, error))
        return false;
    noise->loaded = row;
    memcpy(eps, noise->row + (size_t)first * noise->dims,
           (size_t)count * noise->dims * sizeof *eps);
    return true;
}
